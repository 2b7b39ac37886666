// As much of CUDA as the kernels of the suite and of its tests use, on the CPU and on the memory of the host. One block runs at a
// time, its threads one after another; where a source synchronizes threads they are fibers (see cudart.cpp).
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>

#define __host__
#define __device__
#define __global__
#define __constant__
#define __shared__ static
#define __forceinline__ inline
#define __launch_bounds__(...)

struct uint3 { unsigned x, y, z; };
struct dim3 {
  unsigned x, y, z;
  dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
struct float2 { float x, y; };
struct float3 { float x, y, z; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float3 make_float3(float x, float y, float z) { return {x, y, z}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
constexpr int warpSize = 32;

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorIllegalAddress = 700,
};
enum cudaMemcpyKind { cudaMemcpyHostToHost, cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice, cudaMemcpyDefault };
typedef struct cuda_on_cpu_stream* cudaStream_t;
typedef struct cuda_on_cpu_event* cudaEvent_t;
constexpr unsigned cudaStreamNonBlocking = 1;

extern "C" {
cudaError_t cudaMalloc(void** memory, std::size_t bytes);
cudaError_t cudaFree(void* memory);
cudaError_t cudaMemset(void* memory, int byte, std::size_t bytes);
cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind);
cudaError_t cudaDeviceSynchronize();
cudaError_t cudaGetLastError();
cudaError_t cudaStreamCreate(cudaStream_t* stream);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t start, cudaEvent_t stop);
const char* cudaGetErrorString(cudaError_t error);
}
template <class T>
cudaError_t cudaMalloc(T** memory, std::size_t bytes) { return cudaMalloc(reinterpret_cast<void**>(memory), bytes); }

namespace cuda_on_cpu {
// What works on another stream than the default one waits until something asks for it, as late as a GPU may do it.
void launch(dim3 grid, dim3 block, std::size_t shared_bytes, cudaStream_t stream, std::function<void()> thread, bool has_fibers);
void* dynamic_shared();
void meet_block();
// Each of a warp's threads gives 8 bytes and gets those of another; out of the warp, its own.
std::uint64_t exchange(std::uint64_t own, int lane);
int lane();

struct Launch {
  dim3 grid, block;
  std::size_t shared_bytes = 0;
  cudaStream_t stream = nullptr;
};

template <class T>
T from_lane(T own, int at) {
  static_assert(sizeof(T) <= 8);
  std::uint64_t bits = 0;
  std::memcpy(&bits, &own, sizeof own);
  bits = exchange(bits, at);
  std::memcpy(&own, &bits, sizeof own);
  return own;
}
}  // namespace cuda_on_cpu

inline void __syncthreads() { cuda_on_cpu::meet_block(); }
template <class T> T __shfl_sync(unsigned, T own, int lane) { return cuda_on_cpu::from_lane(own, lane); }
template <class T> T __shfl_down_sync(unsigned, T own, int distance) { return cuda_on_cpu::from_lane(own, cuda_on_cpu::lane() + distance); }
template <class T> T __shfl_up_sync(unsigned, T own, int distance) { return cuda_on_cpu::from_lane(own, cuda_on_cpu::lane() - distance); }
template <class T> T __shfl_xor_sync(unsigned, T own, int mask) { return cuda_on_cpu::from_lane(own, cuda_on_cpu::lane() ^ mask); }

template <class T, class U>
T atomicAdd(T* at, U value) {
  const T old = *at;
  *at += static_cast<T>(value);
  return old;
}
inline float __uint_as_float(unsigned word) { float value; std::memcpy(&value, &word, 4); return value; }
inline unsigned __float_as_uint(float value) { unsigned word; std::memcpy(&word, &value, 4); return word; }
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline float __expf(float x) { return std::exp(x); }
template <class T> T __ldg(const T* at) { return *at; }
