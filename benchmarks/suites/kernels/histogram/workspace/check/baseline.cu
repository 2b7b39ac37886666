#include <cuda_runtime.h>

constexpr int BINS = 256;

__global__ void count_all(const unsigned* x, unsigned* counts, long long n) {
  for (long long i = threadIdx.x; i < n; i += blockDim.x) atomicAdd(&counts[x[i]], 1u);
}

// counts[bin] = how many of the n numbers of x, each from 0 to 255, are `bin`. Most of them are 0, 1, 2 or 3.
extern "C" void histogram(const unsigned* x, unsigned* counts, long long n) {
  cudaMemset(counts, 0, BINS * sizeof(unsigned));
  count_all<<<1, 256>>>(x, counts, n);
}
