#!/bin/sh
# Builds the grader, the baseline and the solution, and becomes the judge. Nothing of the solution runs here.
# $1: the directory for the reward. Exit code 75: this machine cannot grade.
reward=$1
PATH=$PATH:/usr/local/cuda/bin
export PATH CUDA_CACHE_DISABLE=1
broken() { echo "This machine cannot grade: $*" >&2; exit 75; }
refuse() { echo "refused: $*"; mkdir -p "$reward" && echo '{"reward": 0}' > "$reward/reward.json"; exit 0; }

command -v nvcc > /dev/null || broken "there is no nvcc in this image or on this PATH."
out=$(mktemp -d) || broken "there is no room for temporary files."
lib=$(dirname "$(dirname "$(command -v nvcc)")")/lib64
symbol=$(sed -n 's/.*SYMBOL\[\] = "\([a-z_0-9]*\)".*/\1/p' check/task.h)
echo "{ global: $symbol; local: *; };" > "$out/exports"
build() { timeout -k 5 240 nvcc -O3 -std=c++17 -Icheck "$@"; }
device() { build -arch=native -cudart shared "$@"; }
library() { device -shared "$1" -o "$2" -Xlinker "--version-script=$out/exports" -Xlinker -rpath -Xlinker "$lib"; }

build -cudart none grader/judge.cpp -o "$out/judge" > "$out/judge.log" 2>&1 & judge=$!
device grader/runner.cu -o "$out/runner" -Xlinker -z -Xlinker now -Xlinker -rpath -Xlinker "$lib" -ldl > "$out/runner.log" 2>&1 & runner=$!
{ device -Xcompiler -fPIC -c check/baseline.cu -o "$out/baseline.o" && library "$out/baseline.o" "$out/baseline.so"; } > "$out/baseline.log" 2>&1 & baseline=$!
[ -f kernel.cu ] || refuse "there is no kernel.cu."
device -Xcompiler -fPIC -c kernel.cu -o "$out/kernel.o" > "$out/kernel.log" 2>&1; compiled=$?
for part in judge runner baseline; do
  eval "wait \$$part" || broken "$part cannot be built: $(head -c 2000 "$out/$part.log")"
done
cat "$out/kernel.log"
[ "$compiled" = 0 ] || refuse "kernel.cu does not compile (exit code $compiled of nvcc)."

nm -g --defined-only "$out/kernel.o" | awk '$2 ~ /^[TWi]$/ { print $3 }' > "$out/defined"
grep -qx "$symbol" "$out/defined" || refuse "kernel.cu has no function extern \"C\" $symbol."
extra=$(grep -vx -e "$symbol" -e '_Z.*' -e '__\(cuda\|fatbin\|nv\).*' "$out/defined" | head -n 3 | tr '\n' ' ')
[ -z "$extra" ] || refuse "kernel.cu may have no other function for linkers to see: ${extra% }."
calls=$(nm -u "$out/kernel.o" | awk '{ print $NF }' | sed 's/@.*//' | grep -xE "$(tr -d '\n' < grader/forbidden-calls)" | head -n 3 | tr '\n' ' ')
[ -z "$calls" ] || refuse "kernel.cu calls what no kernel needs: ${calls% }."
if objdump -d "$out/kernel.o" | grep -qE '[[:space:]](syscall|sysenter|svc)([[:space:]]|$)|int +\$0x80'; then
  refuse "kernel.cu makes system calls of its own."
fi
library "$out/kernel.o" "$out/solution.so" > "$out/kernel.log" 2>&1 || refuse "kernel.cu does not link: $(head -c 2000 "$out/kernel.log")"
exec "$out/judge" "$out/runner" "$out/baseline.so" "$out/solution.so" "$reward"
