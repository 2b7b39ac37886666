#include <cuda_runtime.h>

__global__ void add_from(const unsigned* from, unsigned* to, long long n, long long distance) {
  const long long i = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < n) to[i] = from[i] + (i >= distance ? from[i - distance] : 0u);
}

// out[i] = x[0] + x[1] + ... + x[i], modulo 2^32
extern "C" void prefix_sum(const unsigned* x, unsigned* out, long long n) {
  unsigned *sums, *next;
  cudaMalloc(&sums, n * sizeof(unsigned));
  cudaMalloc(&next, n * sizeof(unsigned));
  cudaMemcpy(sums, x, n * sizeof(unsigned), cudaMemcpyDeviceToDevice);
  for (long long distance = 1; distance < n; distance *= 2) {
    add_from<<<static_cast<unsigned>((n + 31) / 32), 32>>>(sums, next, n, distance);
    cudaMemcpy(sums, next, n * sizeof(unsigned), cudaMemcpyDeviceToDevice);
  }
  cudaMemcpy(out, sums, n * sizeof(unsigned), cudaMemcpyDeviceToDevice);
  cudaFree(sums);
  cudaFree(next);
}
