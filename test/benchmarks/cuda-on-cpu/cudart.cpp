// The library that stands in for CUDA's runtime: memory, streams and launches.
#include <cuda_runtime.h>
#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <memory>
#include <vector>

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace cuda_on_cpu {
namespace {

cudaError_t last_error = cudaSuccess;
std::vector<std::function<void()>> waiting;
std::vector<unsigned char> shared_memory;

// Threads that meet: the last to come lets all go on. One that has ended is waited for no more.
struct Meeting {
  int expected = 0, here = 0;
  long round = 0;
};

// Runs one thread of each block. Entered once by its context, and then by jumps, which need no call of the system.
struct Fiber {
  std::unique_ptr<char[]> stack;
  ucontext_t context;
  jmp_buf place;
  uint3 index;
  bool entered = false, done = true;
};

constexpr std::size_t STACK_BYTES = 64 * 1024;

jmp_buf scheduler;
std::vector<std::unique_ptr<Fiber>> fibers;
std::size_t running;
Meeting block_meeting, warp_meetings[32];
std::uint64_t given[32][32];
const std::function<void()>* body;

void pause() {
  if (_setjmp(fibers[running]->place) == 0) _longjmp(scheduler, 1);
}

__attribute__((noinline)) void resume(Fiber& fiber) {
  if (_setjmp(scheduler) != 0) return;
  if (fiber.entered) _longjmp(fiber.place, 1);
  fiber.entered = true;
  setcontext(&fiber.context);
}

void leave(Meeting& meeting) {
  meeting.expected--;
  if (meeting.here == meeting.expected && meeting.here > 0) {
    meeting.here = 0;
    meeting.round++;
  }
}

void meet(Meeting& meeting) {
  const long round = meeting.round;
  if (++meeting.here == meeting.expected) {
    meeting.here = 0;
    meeting.round++;
    return;
  }
  while (meeting.round == round) pause();
}

void run_fiber() {
  for (;;) {
    (*body)();
    fibers[running]->done = true;
    leave(block_meeting);
    leave(warp_meetings[running / 32]);
    pause();
  }
}

void make_fiber() {
  fibers.push_back(std::make_unique<Fiber>());
  Fiber& fiber = *fibers.back();
  fiber.stack = std::make_unique<char[]>(STACK_BYTES);
  getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = fiber.stack.get();
  fiber.context.uc_stack.ss_size = STACK_BYTES;
  fiber.context.uc_link = nullptr;
  makecontext(&fiber.context, run_fiber, 0);
}

template <class Each>
void each_thread(Each each) {
  for (unsigned z = 0; z < blockDim.z; z++)
    for (unsigned y = 0; y < blockDim.y; y++)
      for (unsigned x = 0; x < blockDim.x; x++) each(uint3{x, y, z});
}

void run_block_of_fibers() {
  const std::size_t count = std::size_t{blockDim.x} * blockDim.y * blockDim.z;
  while (fibers.size() < count) make_fiber();
  block_meeting = {static_cast<int>(count), 0, 0};
  std::size_t at = 0;
  each_thread([&](uint3 index) {
    fibers[at]->index = index;
    fibers[at]->done = false;
    if (at % 32 == 0) warp_meetings[at / 32] = {static_cast<int>(std::min<std::size_t>(32, count - at)), 0, 0};
    at++;
  });
  for (bool is_alive = true; is_alive;) {
    is_alive = false;
    for (running = 0; running < count; running++) {
      if (fibers[running]->done) continue;
      is_alive = true;
      threadIdx = fibers[running]->index;
      resume(*fibers[running]);
    }
  }
}

void run_grid(dim3 grid, dim3 block, std::size_t shared_bytes, const std::function<void()>& thread, bool has_fibers) {
  gridDim = grid;
  blockDim = block;
  body = &thread;
  shared_memory.assign(shared_bytes, 0xff);
  for (unsigned z = 0; z < grid.z; z++)
    for (unsigned y = 0; y < grid.y; y++)
      for (unsigned x = 0; x < grid.x; x++) {
        blockIdx = {x, y, z};
        if (has_fibers) run_block_of_fibers();
        else
          each_thread([&](uint3 index) {
            threadIdx = index;
            thread();
          });
      }
}

void catch_up() {
  const std::vector<std::function<void()>> all = std::move(waiting);
  waiting.clear();
  for (const auto& one : all) one();
}

}  // namespace

void launch(dim3 grid, dim3 block, std::size_t shared_bytes, cudaStream_t stream, std::function<void()> thread, bool has_fibers) {
  const std::size_t threads = std::size_t{block.x} * block.y * block.z;
  const bool is_possible = threads > 0 && threads <= 1024 && grid.x > 0 && grid.y > 0 && grid.y <= 65'535 && grid.z > 0 && grid.z <= 65'535;
  if (!is_possible || shared_bytes > 48 * 1024) {
    last_error = cudaErrorInvalidConfiguration;
    return;
  }
  if (stream == nullptr) return run_grid(grid, block, shared_bytes, thread, has_fibers);
  waiting.push_back([=] { run_grid(grid, block, shared_bytes, thread, has_fibers); });
}

void* dynamic_shared() { return shared_memory.data(); }
void meet_block() { meet(block_meeting); }
int lane() { return static_cast<int>(running % 32); }

std::uint64_t exchange(std::uint64_t own, int at) {
  const std::size_t warp = running / 32;
  given[warp][running % 32] = own;
  meet(warp_meetings[warp]);
  const std::uint64_t got = at >= 0 && at < 32 ? given[warp][at] : own;
  meet(warp_meetings[warp]);
  return got;
}

}  // namespace cuda_on_cpu

using cuda_on_cpu::last_error;

extern "C" {
cudaError_t cudaMalloc(void** memory, std::size_t bytes) {
  *memory = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  return *memory == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
}
cudaError_t cudaFree(void* memory) {
  cuda_on_cpu::catch_up();
  std::free(memory);
  return cudaSuccess;
}
cudaError_t cudaMemset(void* memory, int byte, std::size_t bytes) {
  std::memset(memory, byte, bytes);
  return cudaSuccess;
}
cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind) {
  std::memmove(to, from, bytes);
  return cudaSuccess;
}
cudaError_t cudaDeviceSynchronize() {
  cuda_on_cpu::catch_up();
  return cudaSuccess;
}
cudaError_t cudaGetLastError() {
  const cudaError_t error = last_error;
  last_error = cudaSuccess;
  return error;
}
cudaError_t cudaStreamCreate(cudaStream_t* stream) { return cudaStreamCreateWithFlags(stream, 0); }
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = static_cast<cudaStream_t>(std::malloc(1));
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaDeviceSynchronize(); }
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  cuda_on_cpu::catch_up();
  std::free(stream);
  return cudaSuccess;
}
cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t, cudaEvent_t) {
  *ms = 0;
  return cudaSuccess;
}
const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "no error";
    case cudaErrorMemoryAllocation: return "out of memory";
    case cudaErrorInvalidConfiguration: return "invalid configuration argument";
    default: return "an illegal memory access was encountered";
  }
}
}
