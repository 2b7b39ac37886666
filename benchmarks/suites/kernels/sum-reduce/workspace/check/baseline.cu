#include <cuda_runtime.h>

__global__ void add_all(const float* x, float* sum, long long n) {
  for (long long i = threadIdx.x; i < n; i += blockDim.x) atomicAdd(sum, x[i]);
}

// *sum = x[0] + x[1] + ... + x[n - 1]
extern "C" void sum_all(const float* x, float* sum, long long n) {
  cudaMemset(sum, 0, sizeof(float));
  add_all<<<1, 32>>>(x, sum, n);
}
