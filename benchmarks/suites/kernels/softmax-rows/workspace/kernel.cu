#include <cuda_runtime.h>

__global__ void softmax_of_row(const float* x, float* out, int rows, int columns) {
  const int row = blockIdx.x * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  const float* from = x + static_cast<long long>(row) * columns;
  float* to = out + static_cast<long long>(row) * columns;
  float most = from[0];
  for (int i = 1; i < columns; i++) most = from[i] > most ? from[i] : most;
  float sum = 0.0f;
  for (int i = 0; i < columns; i++) sum += expf(from[i] - most);
  for (int i = 0; i < columns; i++) to[i] = expf(from[i] - most) / sum;
}

// Each row of x, `rows` times `columns`, becomes exp(x) divided by the row's sum of exp(x), without overflowing.
extern "C" void softmax_rows(const float* x, float* out, int rows, int columns) {
  softmax_of_row<<<(rows + 31) / 32, 32>>>(x, out, rows, columns);
}
