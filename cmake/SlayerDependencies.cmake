# System packages first: libtorch comes last, since its config adds flags of its own.
include(SlayerPackages)
find_package(CLI11 REQUIRED)
if(SLAYER_TESTS)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()

# Where the wheels of torch and pyarrow lie: scripts/bootstrap's .venv, or what pip builds with.
set(SLAYER_SITE_PACKAGES "${PROJECT_SOURCE_DIR}/.venv/lib/python3*/site-packages")
if(SKBUILD)
  find_package(Python REQUIRED COMPONENTS Interpreter)
  execute_process(COMMAND "${Python_EXECUTABLE}" -c
      "import importlib.util as u; print(next(iter(u.find_spec('torch').submodule_search_locations)) + '/..')"
    OUTPUT_VARIABLE SLAYER_SITE_PACKAGES OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
endif()

if(SLAYER_PARQUET)
  # Arrow's C++ libraries inside the pyarrow wheel, which names them by version only.
  file(GLOB pyarrow "${SLAYER_SITE_PACKAGES}/pyarrow")
  file(GLOB arrow_library "${pyarrow}/libarrow.so.*")
  file(GLOB parquet_library "${pyarrow}/libparquet.so.*")
  if(arrow_library AND parquet_library)
    set(SLAYER_PARQUET_FOUND TRUE)
    add_library(slayer_parquet INTERFACE)
    target_include_directories(slayer_parquet SYSTEM INTERFACE
      "$<BUILD_INTERFACE:${pyarrow}/include>")
    target_link_libraries(slayer_parquet INTERFACE "${parquet_library}" "${arrow_library}")
    message(STATUS "Parquet: ${parquet_library}")
  else()
    message(STATUS "Parquet: no pyarrow in .venv; slayer will read .jsonl data only")
  endif()
endif()

if(SLAYER_TORCH)
  # A libtorch under CMAKE_PREFIX_PATH (CUDA builds among them), else the wheel in .venv: hints come
  # after that path and before the system's folders.
  file(GLOB venv_torch "${SLAYER_SITE_PACKAGES}/torch")
  set(CMAKE_MESSAGE_LOG_LEVEL ERROR)  # It warns of parts that only static builds have.
  find_package(Torch QUIET CONFIG HINTS ${venv_torch})
  unset(CMAKE_MESSAGE_LOG_LEVEL)
  if(NOT Torch_FOUND)
    message(FATAL_ERROR "libtorch not found: run scripts/bootstrap, or pass -DCMAKE_PREFIX_PATH=/path/to/libtorch")
  endif()
  add_library(slayer_torch INTERFACE)
  target_include_directories(slayer_torch SYSTEM INTERFACE
    "$<BUILD_INTERFACE:${TORCH_INCLUDE_DIRS}>")
  target_link_libraries(slayer_torch INTERFACE ${TORCH_LIBRARIES})
  # libtorch's headers bring a newer fmt than the system's library: used from the headers alone, the
  # two never meet.
  target_compile_definitions(slayer_torch INTERFACE FMT_HEADER_ONLY)
  message(STATUS "libtorch ${Torch_VERSION}: ${TORCH_INSTALL_PREFIX}")

  # Owner of the precompiled header; every libtorch target reuses it.
  file(WRITE "${CMAKE_BINARY_DIR}/torch_pch.cpp" "// Owns the precompiled header of ATen.\n")
  add_library(slayer_torch_pch OBJECT "${CMAKE_BINARY_DIR}/torch_pch.cpp")
  # fmt and spdlog: what they define must be the same here as in the targets that reuse the header.
  target_link_libraries(slayer_torch_pch PRIVATE
    slayer_flags slayer_torch fmt::fmt spdlog::spdlog)
  target_precompile_headers(slayer_torch_pch PRIVATE
    <ATen/ATen.h> <c10/core/InferenceMode.h> <torch/csrc/autograd/custom_function.h>
    <fmt/format.h> <nlohmann/json.hpp> <algorithm> <cstdint> <filesystem> <map> <memory> <optional>
    <span> <string> <string_view> <vector>)
endif()
