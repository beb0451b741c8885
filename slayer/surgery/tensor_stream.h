#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>

#include "slayer/checkpoint/checkpoint.h"
#include "slayer/core/output_file.h"

namespace slayer {

// Tensors go to files in chunks: few bytes at a time for a low memory and a prompt Ctrl-C, enough
// for the disk's speed. All of these throw Interrupted between chunks when asked to stop.

/// Shown every stretch of bytes as it goes by; may be empty.
using SeeBytes = std::function<void(std::span<const std::byte>)>;

/// Fills `values` with the elements from `begin` on, as float32.
using FillValues = std::function<void(int64_t begin, std::span<float> values)>;

/// @throws Interrupted when asked to stop.
void throw_if_stopped(const std::stop_token& stop);

/// Shows the bytes of a stored tensor to `see`.
void scan_stored(const StoredBytes& stored, const std::stop_token& stop, const SeeBytes& see);

/// Appends stored bytes, inside the kernel.
void stream_stored(const StoredBytes& stored,
                   OutputFile& file,
                   const std::stop_token& stop,
                   const SeeBytes& see = {});

/// Appends a tensor as `dtype`: byte for byte where it is stored so.
void stream_tensor(const Checkpoint& checkpoint,
                   const TensorInfo& tensor,
                   Dtype dtype,
                   OutputFile& file,
                   const std::stop_token& stop,
                   const SeeBytes& see = {});

/// Appends a tensor of the form `info` whose elements `fill` gives.
void stream_computed(const TensorInfo& info,
                     const FillValues& fill,
                     OutputFile& file,
                     const std::stop_token& stop,
                     const SeeBytes& see = {});

/// Appends a tensor of zeros, whose bytes are zero in every float dtype.
void stream_zeros(const TensorInfo& info, OutputFile& file, const std::stop_token& stop);

/// Reads a stretch of a tensor as float32 and lets go of the memory it was mapped to.
void read_stretch(const Checkpoint& checkpoint,
                  const TensorInfo& tensor,
                  int64_t begin,
                  std::span<float> values);

}  // namespace slayer
