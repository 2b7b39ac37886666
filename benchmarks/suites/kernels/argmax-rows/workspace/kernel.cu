#include <cuda_runtime.h>

constexpr int THREADS = 256;

__global__ void argmax_of_row(const float* x, int* best, int columns) {
  __shared__ float value[THREADS];
  __shared__ int place[THREADS];
  const float* row = x + static_cast<long long>(blockIdx.x) * columns;
  value[threadIdx.x] = 0.0f;
  for (int i = 0; i < columns / THREADS; i++) {
    const int at = i * THREADS + threadIdx.x;
    if (row[at] >= value[threadIdx.x]) {
      value[threadIdx.x] = row[at];
      place[threadIdx.x] = at;
    }
  }
  for (int distance = THREADS / 2; distance > 0; distance /= 2) {
    if (threadIdx.x < distance && value[threadIdx.x + distance] > value[threadIdx.x]) {
      value[threadIdx.x] = value[threadIdx.x + distance];
      place[threadIdx.x] = place[threadIdx.x + distance];
    }
  }
  if (threadIdx.x == 0) best[blockIdx.x] = place[0];
}

// best[row] = the first column with the largest number of that row of x, which is `rows` times `columns`.
extern "C" void argmax_rows(const float* x, int* best, int rows, int columns) {
  argmax_of_row<<<rows, THREADS>>>(x, best, columns);
}
