// Holds the buffers of one library's calls on the GPU and makes the calls that the judge asks for. A solution lives in this
// process and may do to it what it likes: that is why nothing is decided here.
#include <cuda_runtime.h>
#include <dlfcn.h>
#include <fcntl.h>

#include <cerrno>
#include <cstdlib>

#include "protocol.h"
#include "seal.h"
#include "task.h"

namespace {

constexpr int SLOTS = 1024;

__global__ void fill(Word* words, std::size_t count, Values values, std::uint64_t seed) {
  const std::size_t step = static_cast<std::size_t>(gridDim.x) * blockDim.x;
  for (std::size_t i = blockIdx.x * static_cast<std::size_t>(blockDim.x) + threadIdx.x; i < count; i += step)
    words[i] = value_at(values, seed, i);
}

__global__ void poison(Word* words, std::size_t count, Word word) {
  const std::size_t step = static_cast<std::size_t>(gridDim.x) * blockDim.x;
  for (std::size_t i = blockIdx.x * static_cast<std::size_t>(blockDim.x) + threadIdx.x; i < count; i += step) words[i] = word;
}

__global__ void digest(const Word* words, std::size_t count, std::uint64_t seed, int buffer, unsigned long long* slots) {
  const std::size_t step = static_cast<std::size_t>(gridDim.x) * blockDim.x;
  unsigned long long sum = 0;
  for (std::size_t i = blockIdx.x * static_cast<std::size_t>(blockDim.x) + threadIdx.x; i < count; i += step)
    sum += part_of(seed, buffer, i, words[i]);
  atomicAdd(&slots[blockIdx.x % SLOTS], sum);
}

struct Trouble {
  std::string why;
};

void must(cudaError_t error, const char* what) {
  if (error != cudaSuccess) throw Trouble{std::string(what) + ": " + cudaGetErrorString(error)};
}

unsigned blocks_for(std::size_t count) { return static_cast<unsigned>(std::min<std::size_t>(SLOTS, (count + 255) / 256)); }

struct Buffer {
  Word* all = nullptr;
  std::size_t count = 0;

  void open(std::size_t wanted) {
    count = wanted;
    must(cudaMalloc(reinterpret_cast<void**>(&all), whole() * sizeof(Word)), "no memory for the buffers");
    spoil(0);
  }
  void spoil(std::uint64_t seed) { poison<<<blocks_for(whole()), 256>>>(all, whole(), poison_of(seed)); }
  Word* inside() const { return all + GUARD; }
  std::size_t whole() const { return count + 2 * GUARD; }
};

class Stage {
 public:
  explicit Stage(void* function) : function_(function) {
    must(cudaMalloc(reinterpret_cast<void**>(&slots_), SLOTS * sizeof *slots_), "no memory");
  }

  void prepare(const Dims& dims) {
    for (const Buffer& buffer : inputs_) cudaFree(buffer.all);
    for (const Buffer& buffer : outputs_) cudaFree(buffer.all);
    dims_ = dims;
    given_ = task::inputs(dims);
    inputs_.assign(given_.size(), {});
    for (std::size_t i = 0; i < given_.size(); i++) inputs_[i].open(given_[i].count);
    const std::vector<std::size_t> counts = task::outputs(dims);
    outputs_.assign(counts.size(), {});
    for (std::size_t i = 0; i < counts.size(); i++) outputs_[i].open(counts[i]);
    must(cudaDeviceSynchronize(), "the buffers");
  }

  // The digest of what the call left.
  std::uint64_t go(std::uint64_t seed) {
    std::vector<void*> in, out;
    for (std::size_t i = 0; i < inputs_.size(); i++) {
      const Buffer& buffer = inputs_[i];
      fill<<<blocks_for(buffer.count), 256>>>(buffer.inside(), buffer.count, given_[i].values, seed_of(seed, static_cast<int>(i)));
      in.push_back(buffer.inside());
    }
    for (Buffer& buffer : outputs_) {
      buffer.spoil(seed);
      out.push_back(buffer.inside());
    }
    must(cudaMemset(slots_, 0, SLOTS * sizeof *slots_), "cudaMemset");
    must(cudaDeviceSynchronize(), "the inputs");
    task::call(function_, in.data(), out.data(), dims_);
    must(cudaGetLastError(), "the call failed");
    must(cudaDeviceSynchronize(), "the kernel failed");
    return digested(seed);
  }

  std::vector<Word> fetched(std::size_t output) const {
    const Buffer& buffer = outputs_[output];
    std::vector<Word> words(buffer.whole());
    must(cudaMemcpy(words.data(), buffer.all, words.size() * sizeof(Word), cudaMemcpyDeviceToHost), "the outputs");
    return words;
  }

  std::size_t outputs() const { return outputs_.size(); }

 private:
  std::uint64_t digested(std::uint64_t seed) const {
    for (std::size_t i = 0; i < outputs_.size(); i++) {
      const Buffer& buffer = outputs_[i];
      digest<<<blocks_for(buffer.whole()), 256>>>(buffer.all, buffer.whole(), seed, static_cast<int>(i), slots_);
    }
    std::vector<unsigned long long> sums(SLOTS);
    must(cudaMemcpy(sums.data(), slots_, SLOTS * sizeof *slots_, cudaMemcpyDeviceToHost), "the digest");
    std::uint64_t sum = 0;
    for (const unsigned long long part : sums) sum += part;
    return sum;
  }

  void* function_;
  unsigned long long* slots_ = nullptr;
  Dims dims_{};
  std::vector<Input> given_;
  std::vector<Buffer> inputs_, outputs_;
};

bool read_all(int from, void* into, std::size_t bytes) {
  for (std::size_t done = 0; done < bytes;) {
    const ssize_t got = read(from, static_cast<char*>(into) + done, bytes - done);
    if (got == 0 || (got < 0 && errno != EINTR)) return false;
    if (got > 0) done += static_cast<std::size_t>(got);
  }
  return true;
}

void write_all(int to, const void* from, std::size_t bytes) {
  for (std::size_t done = 0; done < bytes;) {
    const ssize_t put = write(to, static_cast<const char*>(from) + done, bytes - done);
    if (put < 0 && errno != EINTR) std::_Exit(1);
    if (put > 0) done += static_cast<std::size_t>(put);
  }
}

void answer(int to, bool failed, std::uint64_t digest, const std::string& why) {
  Reply reply{};
  reply.failed = failed ? 1 : 0;
  reply.digest = digest;
  std::snprintf(reply.why, sizeof reply.why, "%s", why.c_str());
  write_all(to, &reply, sizeof reply);
}

void* function_in(const char* library) {
  void* handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) throw Trouble{std::string("it cannot be loaded: ") + dlerror()};
  void* function = dlsym(handle, task::SYMBOL);
  if (function == nullptr) throw Trouble{std::string("it has no function ") + task::SYMBOL};
  return function;
}

// All that the driver needs at its beginning: threads, files, perhaps programs.
void start_device() {
  must(cudaFree(nullptr), "no GPU can be used");
  Buffer buffer;
  buffer.open(1);
  must(cudaDeviceSynchronize(), "this GPU runs no kernel");
  must(cudaFree(buffer.all), "no memory can be given back");
}

void obey(Stage& stage, const Command& command, int replies) {
  switch (command.order) {
    case Order::prepare:
      stage.prepare(command.dims);
      return answer(replies, false, 0, "");
    case Order::go:
      return answer(replies, false, stage.go(command.seed), "");
    case Order::fetch:
      for (std::size_t i = 0; i < stage.outputs(); i++) {
        const std::vector<Word> words = stage.fetched(i);
        write_all(replies, words.data(), words.size() * sizeof(Word));
      }
  }
}

}  // namespace

int main(int count, char** words) {
  if (count != 2) return 2;
  // What a solution prints is no answer.
  const int replies = fcntl(1, F_DUPFD_CLOEXEC, 10), orders = fcntl(0, F_DUPFD_CLOEXEC, 10);
  close(0);
  dup2(2, 1);
  try {
    start_device();
    if (!seal()) throw Trouble{"system calls cannot be filtered"};
    answer(replies, false, 0, "");
    Stage stage(function_in(words[1]));
    answer(replies, false, 0, "");
    for (Command command{}; read_all(orders, &command, sizeof command);) obey(stage, command, replies);
  } catch (const Trouble& trouble) {
    answer(replies, true, 0, trouble.why);
    return 1;
  }
}
