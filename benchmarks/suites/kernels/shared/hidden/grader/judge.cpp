// Decides on a solution. It never has the solution's code in its memory and takes no clock but its own:
//
//   1. It measures the baseline in a runner of its own, before any code of the solution has run.
//   2. A runner with the solution gets a seed that nobody knew before. The clock runs from there until the runner has given a
//      digest of all outputs. Only then are the outputs fetched: they must have that digest and be right.
//   3. When every process that came of the solution is gone, it leaves the reward and exits with 0.
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "protocol.h"
#include "task.h"

namespace {

using Clock = std::chrono::steady_clock;

constexpr int MACHINE_IS_BROKEN = 75;
constexpr int BASELINE_ROUNDS = 5, SOLUTION_ROUNDS = 7, WARM_UPS = 2, DRAWN_SHAPES = 3;
constexpr double START_MS = 120'000, BASELINE_MS = 60'000, LEAST_LIMIT_MS = 10'000;

// What a runner did wrong, or what it computed.
struct Refused {
  std::string why;
};

double ms_since(Clock::time_point then) { return std::chrono::duration<double, std::milli>(Clock::now() - then).count(); }

std::uint64_t drawn_word() {
  std::uint64_t word = 0;
  if (getrandom(&word, sizeof word, 0) != sizeof word) throw std::runtime_error("getrandom gives nothing");
  return word;
}

std::string text_of(const Dims& dims) {
  std::string text;
  for (const long long dim : dims)
    if (dim != 0) text += (text.empty() ? "" : " x ") + std::to_string(dim);
  return text;
}

// Every process that came of this one, whoever its parent was: those without one become this one's children.
void end_all_children() {
  for (;;) {
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      const pid_t pid = std::atoi(entry.path().filename().c_str());
      std::ifstream stat(entry.path() / "stat");
      std::string line;
      if (pid <= 1 || !std::getline(stat, line)) continue;
      const std::size_t name_end = line.rfind(')');
      if (name_end == std::string::npos || line.size() < name_end + 4) continue;
      if (std::atoi(line.c_str() + name_end + 4) == getpid()) kill(pid, SIGKILL);
    }
    const pid_t ended = waitpid(-1, nullptr, 0);
    if (ended < 0 && errno == ECHILD) return;
  }
}

class Runner {
 public:
  Runner(const char* program, const char* library) {
    int to[2], from[2];
    if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0) throw std::runtime_error("no pipe can be made");
    pid_ = fork();
    if (pid_ < 0) throw std::runtime_error("no process can be started");
    if (pid_ == 0) {
      dup2(to[0], 0);
      dup2(from[1], 1);
      execl(program, program, library, nullptr);
      _exit(127);
    }
    close(to[0]);
    close(from[1]);
    orders_ = to[1];
    replies_ = from[0];
  }

  Runner(const Runner&) = delete;

  ~Runner() {
    close(orders_);
    close(replies_);
    end_all_children();
  }

  void order(const Command& command) {
    if (write(orders_, &command, sizeof command) != sizeof command) throw Refused{ending()};
  }

  // The answer to an order. A failure is thrown.
  Reply reply(double limit_ms) {
    Reply reply{};
    receive(&reply, sizeof reply, limit_ms);
    reply.why[sizeof reply.why - 1] = 0;
    if (reply.failed != 0) throw Refused{reply.why};
    return reply;
  }

  void receive(void* into, std::size_t bytes, double limit_ms) {
    const auto began = Clock::now();
    for (std::size_t done = 0; done < bytes;) {
      const double left_ms = limit_ms - ms_since(began);
      pollfd ready = {replies_, POLLIN, 0};
      const int count = left_ms <= 0 ? 0 : poll(&ready, 1, static_cast<int>(std::ceil(left_ms)));
      if (count == 0) throw Refused{"it took longer than " + std::to_string(std::lround(limit_ms)) + " ms"};
      if (count < 0) continue;
      const ssize_t got = read(replies_, static_cast<char*>(into) + done, bytes - done);
      if (got == 0 || (got < 0 && errno != EINTR)) throw Refused{ending()};
      if (got > 0) done += static_cast<std::size_t>(got);
    }
  }

 private:
  // How it ended; one that only closed its pipes is ended.
  std::string ending() {
    int status = 0;
    for (int tries = 0; tries < 100; tries++) {
      if (waitpid(pid_, &status, WNOHANG) == pid_) {
        if (WIFSIGNALED(status)) return std::string("it crashed: ") + strsignal(WTERMSIG(status));
        return "it ended the process, with exit code " + std::to_string(WEXITSTATUS(status));
      }
      usleep(20'000);
    }
    return "it closed the grader's pipes";
  }

  pid_t pid_ = -1;
  int orders_ = -1, replies_ = -1;
};

// The outputs of the call before, checked for what was promised of them, without their guards.
std::vector<std::vector<Word>> fetched(Runner& runner, const Dims& dims, std::uint64_t seed, std::uint64_t promised) {
  runner.order({Order::fetch, {}, 0});
  std::vector<std::vector<Word>> outputs;
  std::uint64_t sum = 0;
  for (const std::size_t count : task::outputs(dims)) {
    std::vector<Word> words(count + 2 * GUARD);
    runner.receive(words.data(), words.size() * sizeof(Word), START_MS);
    for (std::size_t i = 0; i < words.size(); i++) sum += part_of(seed, static_cast<int>(outputs.size()), i, words[i]);
    const auto is_spoilt = [&](Word word) { return word == poison_of(seed); };
    if (!std::all_of(words.begin(), words.begin() + GUARD, is_spoilt) || !std::all_of(words.end() - GUARD, words.end(), is_spoilt))
      throw Refused{"it wrote before or after an output"};
    outputs.emplace_back(words.begin() + GUARD, words.end() - GUARD);
  }
  if (sum != promised) throw Refused{"the outputs changed after the clock was stopped"};
  return outputs;
}

// One call on numbers that nobody knew before. Returns milliseconds; what is wrong is thrown.
double timed_call(Runner& runner, const Dims& dims, double limit_ms) {
  const std::uint64_t seed = drawn_word();
  const auto began = Clock::now();
  runner.order({Order::go, {}, seed});
  const Reply reply = runner.reply(limit_ms);
  const double took_ms = ms_since(began);
  Data data;
  data.outputs = fetched(runner, dims, seed, reply.digest);
  const std::vector<Input> inputs = task::inputs(dims);
  for (std::size_t i = 0; i < inputs.size(); i++) data.inputs.push_back(values_of(inputs[i], seed_of(seed, static_cast<int>(i))));
  Random random(drawn_word());
  const std::string complaint = task::verify(data, dims, random);
  if (!complaint.empty()) throw Refused{"wrong for " + text_of(dims) + ": " + complaint};
  return took_ms;
}

void prepare(Runner& runner, const Dims& dims) {
  runner.order({Order::prepare, dims, 0});
  runner.reply(START_MS);
}

double median_ms(Runner& runner, int rounds, int warm_ups, double limit_ms) {
  prepare(runner, task::TIMED);
  std::vector<double> times;
  for (int round = 0; round < warm_ups + rounds; round++) {
    const double ms = timed_call(runner, task::TIMED, limit_ms);
    if (round >= warm_ups) times.push_back(ms);
  }
  std::sort(times.begin(), times.end());
  std::printf("  %d calls, %.3f to %.3f ms\n", rounds, times.front(), times.back());
  return times[times.size() / 2];
}

// Whatever is wrong here is wrong with the machine: no code of the solution has run.
double baseline_ms(const char* program, const char* library) {
  std::printf("baseline, %s\n", text_of(task::TIMED).c_str());
  try {
    Runner runner(program, library);
    runner.reply(START_MS);
    runner.reply(START_MS);
    return median_ms(runner, BASELINE_ROUNDS, 1, BASELINE_MS);
  } catch (const Refused& refused) {
    std::fprintf(stderr, "The baseline cannot be measured here: %s\n", refused.why.c_str());
    std::exit(MACHINE_IS_BROKEN);
  }
}

double solution_ms(const char* program, const char* library, double limit_ms) {
  Runner runner(program, library);
  runner.reply(START_MS);
  runner.reply(START_MS);
  std::vector<Dims> shapes = task::CHECKED;
  Random random(drawn_word());
  for (int i = 0; i < DRAWN_SHAPES; i++) shapes.push_back(task::drawn(random));
  for (const Dims& dims : shapes) {
    prepare(runner, dims);
    for (int round = 0; round < 2; round++) timed_call(runner, dims, limit_ms);
    std::printf("right for %s\n", text_of(dims).c_str());
  }
  std::printf("solution, %s\n", text_of(task::TIMED).c_str());
  return median_ms(runner, SOLUTION_ROUNDS, WARM_UPS, limit_ms);
}

// An empty directory that nobody can put anything into, nor open again who is sealed.
void close_directory(const std::filesystem::path& directory) {
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory);
  std::filesystem::permissions(directory, std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
}

void leave(const std::filesystem::path& directory, const std::string& json) {
  std::filesystem::permissions(directory, std::filesystem::perms::owner_all);
  // A root who is above permissions may have left something.
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory);
  std::ofstream(directory / "reward.json") << json << "\n";
}

}  // namespace

int main(int count, char** words) {
  if (count != 5) return 2;
  // Nobody of the same user looks into this process or its files, and whoever comes of it stays its descendant.
  prctl(PR_SET_DUMPABLE, 0);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  std::signal(SIGPIPE, SIG_IGN);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const double baseline = baseline_ms(words[1], words[2]);
  close_directory(words[4]);
  char json[200] = "{\"reward\": 0}";
  try {
    const double own = solution_ms(words[1], words[3], std::max(LEAST_LIMIT_MS, 3 * baseline));
    const double speedup = baseline / own;
    const double reward = std::clamp(std::log(speedup) / std::log(task::TARGET), 0.0, 1.0);
    std::printf("%.3f ms, baseline %.3f ms: %.2f times as fast, of %.1f\n", own, baseline, speedup, task::TARGET);
    std::snprintf(json, sizeof json, "{\"reward\": %.6f, \"speedup\": %.4f, \"ms\": %.6f, \"baseline_ms\": %.6f}", reward, speedup, own, baseline);
  } catch (const Refused& refused) {
    std::printf("refused: %s\n", refused.why.c_str());
  }
  leave(words[4], json);
}
