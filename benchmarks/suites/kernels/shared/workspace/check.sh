#!/bin/sh
# Compiles kernel.cu, checks what it computes and compares its time with that of check/baseline.cu. Needs nvcc and a GPU.
set -e
cd "$(dirname "$0")"
PATH=$PATH:/usr/local/cuda/bin
lib=$(dirname "$(dirname "$(command -v nvcc)")")/lib64
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for source in kernel check/baseline; do
  nvcc -O3 -std=c++17 -arch=native -cudart shared -Xcompiler -fPIC -shared "$source.cu" -o "$out/$(basename "$source").so"
done
nvcc -O3 -std=c++17 -arch=native -cudart shared -Icheck check/check.cu -o "$out/check" -Xlinker -rpath -Xlinker "$lib" -ldl
"$out/check" "$out/kernel.so" "$out/baseline.so"
