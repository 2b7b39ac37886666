// Checks a kernel on the shapes of task.h and times it beside the baseline. What counts is measured by a grader of its own, in
// another way: from outside, on numbers that nobody knew before, on more shapes. See README.md.
#include <cuda_runtime.h>
#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "task.h"

namespace {

void must(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  std::fprintf(stderr, "%s: %s\n", what, cudaGetErrorString(error));
  std::exit(1);
}

void* function_of(const char* library) {
  void* handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  void* function = handle == nullptr ? nullptr : dlsym(handle, task::SYMBOL);
  if (function != nullptr) return function;
  std::fprintf(stderr, "%s has no function extern \"C\" %s: %s\n", library, task::SYMBOL, dlerror());
  std::exit(1);
}

// Calls it once on fresh numbers. `data` gets them and the outcome. Returns milliseconds.
double call_once(void* function, const Dims& dims, std::uint64_t seed, Data& data) {
  std::vector<void*> in, out;
  data = {};
  for (const Input& input : task::inputs(dims)) {
    data.inputs.push_back(values_of(input, seed_of(seed, static_cast<int>(in.size()))));
    in.push_back(nullptr);
    must(cudaMalloc(&in.back(), input.count * sizeof(Word)), "cudaMalloc");
    must(cudaMemcpy(in.back(), data.inputs.back().data(), input.count * sizeof(Word), cudaMemcpyHostToDevice), "cudaMemcpy");
  }
  for (const std::size_t count : task::outputs(dims)) {
    data.outputs.emplace_back(count);
    out.push_back(nullptr);
    must(cudaMalloc(&out.back(), count * sizeof(Word)), "cudaMalloc");
    must(cudaMemset(out.back(), 0xff, count * sizeof(Word)), "cudaMemset");
  }
  must(cudaDeviceSynchronize(), "before the call");
  const auto began = std::chrono::steady_clock::now();
  task::call(function, in.data(), out.data(), dims);
  must(cudaGetLastError(), "the call");
  must(cudaDeviceSynchronize(), "the kernel");
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - began;
  for (std::size_t i = 0; i < out.size(); i++)
    must(cudaMemcpy(data.outputs[i].data(), out[i], data.outputs[i].size() * sizeof(Word), cudaMemcpyDeviceToHost), "cudaMemcpy");
  for (void* buffer : in) cudaFree(buffer);
  for (void* buffer : out) cudaFree(buffer);
  return took.count();
}

std::string text_of(const Dims& dims) {
  std::string text;
  for (const long long dim : dims)
    if (dim != 0) text += (text.empty() ? "" : " x ") + std::to_string(dim);
  return text;
}

double median_ms(void* function, int rounds, Random& random) {
  Data data;
  std::vector<double> times;
  for (int round = 0; round <= rounds; round++) times.push_back(call_once(function, task::TIMED, random.next(), data));
  times.erase(times.begin());
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

}  // namespace

int main(int count, char** words) {
  if (count != 3) return 2;
  void* function = function_of(words[1]);
  Random random(static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count()));
  std::vector<Dims> shapes = task::CHECKED;
  shapes.push_back(task::drawn(random));
  shapes.push_back(task::TIMED);
  for (const Dims& dims : shapes) {
    Data data;
    call_once(function, dims, random.next(), data);
    const std::string complaint = task::verify(data, dims, random);
    std::printf("%s: %s\n", text_of(dims).c_str(), complaint.empty() ? "right" : complaint.c_str());
    if (!complaint.empty()) return 1;
  }
  const double baseline = median_ms(function_of(words[2]), 3, random);
  const double own = median_ms(function, 5, random);
  std::printf("%.3f ms, baseline %.3f ms: %.1f times as fast (%.1f solves the task)\n", own, baseline, baseline / own, task::TARGET);
}
