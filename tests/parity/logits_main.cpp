// Runs a model for tests/parity/model_logits.py, which compares with transformers.
//
// logits_main CKPT DTYPE THREADS: reads rows from stdin, each a uint32 count and that many int32
// token ids; answers each with a double, the seconds that the forward pass took, and the logits as
// float32, count * vocabulary of them.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <chrono>
#include <fmt/format.h>
#include <iostream>
#include <string>
#include <vector>

#include "slayer/core/error.h"
#include "slayer/model/causal_lm.h"
#include "slayer/model/device.h"
#include "slayer/model/load.h"

namespace slayer {
namespace {

template <typename T>
bool read(T* values, size_t count) {
  const auto bytes = static_cast<std::streamsize>(count * sizeof(T));
  return static_cast<bool>(std::cin.read(reinterpret_cast<char*>(values), bytes));
}

template <typename T>
void write(const T* values, size_t count) {
  const auto bytes = static_cast<std::streamsize>(count * sizeof(T));
  std::cout.write(reinterpret_cast<const char*>(values), bytes);
}

void answer_rows(const CausalLM& model) {
  const c10::InferenceMode inference;
  uint32_t count = 0;
  while (read(&count, 1)) {
    std::vector<int32_t> ids(count);
    if (!read(ids.data(), ids.size())) {
      return;
    }
    const at::Tensor row = at::tensor(ids, at::kLong).unsqueeze(0);
    const auto start = std::chrono::steady_clock::now();
    const at::Tensor scores = logits(model, forward_hidden(model, row));
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    const double seconds = elapsed.count();
    const at::Tensor values = scores.to(at::kFloat).contiguous();
    write(&seconds, 1);
    write(values.const_data_ptr<float>(), static_cast<size_t>(values.numel()));
    std::cout.flush();
  }
}

}  // namespace
}  // namespace slayer

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "logits_main CKPT DTYPE THREADS\n";
    return 2;
  }
  try {
    at::set_num_threads(std::stoi(argv[3]));
    const auto checkpoint = slayer::Checkpoint::open(argv[1]);
    slayer::answer_rows(slayer::load_causal_lm(
        checkpoint, slayer::scalar_type_from_name(argv[2]), at::Device(at::kCPU)));
    return 0;
  } catch (const slayer::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
