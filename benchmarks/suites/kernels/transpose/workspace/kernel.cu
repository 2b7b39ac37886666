#include <cuda_runtime.h>

__global__ void move_rows(const unsigned* x, unsigned* out, int rows, int columns) {
  for (int row = threadIdx.x; row < rows; row += blockDim.x)
    for (int column = 0; column < columns; column++)
      out[static_cast<long long>(column) * rows + row] = x[static_cast<long long>(row) * columns + column];
}

// x, `rows` times `columns`, becomes out, `columns` times `rows`.
extern "C" void transpose(const unsigned* x, unsigned* out, int rows, int columns) {
  move_rows<<<1, 1024>>>(x, out, rows, columns);
}
