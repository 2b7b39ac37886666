#include <cuda_runtime.h>

__global__ void accelerate(const float* place, float* out, int n) {
  const int axis = blockIdx.y;
  const int body = blockIdx.x * blockDim.x + threadIdx.x;
  if (body >= n) return;
  double sum = 0.0;
  for (int other = 0; other < n; other++) {
    const double x = place[3 * other] - place[3 * body];
    const double y = place[3 * other + 1] - place[3 * body + 1];
    const double z = place[3 * other + 2] - place[3 * body + 2];
    const double distance = sqrt(x * x + y * y + z * z + 0.01);
    const double to[3] = {x, y, z};
    sum += to[axis] / pow(distance, 3.0);
  }
  out[3 * body + axis] = static_cast<float>(sum);
}

// Bodies of mass 1 at (place[3 i], place[3 i + 1], place[3 i + 2]): the acceleration of body i, in the same order, is the sum over
// all bodies j of d / (|d|^2 + 0.01)^1.5, where d goes from i to j.
extern "C" void accelerations(const float* place, float* out, int n) {
  accelerate<<<dim3((n + 31) / 32, 3), 32>>>(place, out, n);
}
