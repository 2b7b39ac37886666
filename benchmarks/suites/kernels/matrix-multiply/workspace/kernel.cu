#include <cuda_runtime.h>

__global__ void multiply(const float* a, const float* b, float* c, int m, int n, int k) {
  const int row = blockIdx.x * blockDim.x + threadIdx.x;
  const int column = blockIdx.y * blockDim.y + threadIdx.y;
  if (row >= m || column >= n) return;
  c[row * n + column] = 0.0f;
  for (int i = 0; i < k; i++) c[row * n + column] += a[row * k + i] * b[i * n + column];
}

// c = a b, all by rows: a is m times k, b is k times n, c is m times n.
extern "C" void matrix_multiply(const float* a, const float* b, float* c, int m, int n, int k) {
  const dim3 block(32, 4);
  multiply<<<dim3((m + block.x - 1) / block.x, (n + block.y - 1) / block.y), block>>>(a, b, c, m, n, k);
}
