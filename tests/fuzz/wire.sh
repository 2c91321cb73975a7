#!/usr/bin/env bash
# wire.sh: writes fuzz_targets/NAME.rs and the [[bin]] entry of Cargo.toml for every module of src/ that lacks them.
set -euo pipefail
cd "$(dirname "$0")"
for module in src/*.rs; do
  name=$(basename "$module" .rs)
  [ "$name" = lib ] && continue
  printf '#![no_main]\n\nlibfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::%s::run(data));\n' "$name" > "fuzz_targets/$name.rs"
  grep -q "^name = \"$name\"" Cargo.toml ||
    printf '\n[[bin]]\nname = "%s"\npath = "fuzz_targets/%s.rs"\ntest = false\ndoc = false\nbench = false\n' "$name" "$name" >> Cargo.toml
done
