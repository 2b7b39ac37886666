#include <cuda_runtime.h>

__global__ void scale(const float* x, float* scaled) { scaled[blockIdx.x] = 2.5f * x[blockIdx.x]; }

__global__ void add(const float* scaled, const float* y, float* sum) { sum[blockIdx.x] = scaled[blockIdx.x] + y[blockIdx.x]; }

__global__ void relu(const float* sum, float* out) { out[blockIdx.x] = sum[blockIdx.x] > 0.0f ? sum[blockIdx.x] : 0.0f; }

// out[i] = max(2.5 * x[i] + y[i], 0)
extern "C" void scale_add_relu(const float* x, const float* y, float* out, long long n) {
  float *scaled, *sum;
  cudaMalloc(&scaled, n * sizeof(float));
  cudaMalloc(&sum, n * sizeof(float));
  const unsigned blocks = static_cast<unsigned>(n);
  scale<<<blocks, 1>>>(x, scaled);
  cudaDeviceSynchronize();
  add<<<blocks, 1>>>(scaled, y, sum);
  cudaDeviceSynchronize();
  relu<<<blocks, 1>>>(sum, out);
  cudaFree(scaled);
  cudaFree(sum);
}
