#include "slayer/data/parquet.h"

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <fmt/format.h>
#include <parquet/arrow/reader.h>

#include "slayer/core/error.h"
#include "slayer/core/mapped_file.h"

namespace slayer {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const arrow::Status& status) {
  throw Error({.file = path.string(),
               .found = printable(status.message(), 200),
               .expected = "a Parquet file"});
}

template <class Value>
Value value_or_fail(arrow::Result<Value> result, const std::filesystem::path& path) {
  if (!result.ok()) {
    fail(path, result.status());
  }
  return std::move(result).ValueUnsafe();
}

/// Turns the elements of one array into JSON.
class ElementReader final {
 public:
  ElementReader(std::string file, std::string column)
      : file_(std::move(file)), column_(std::move(column)) {}

  Json read(const arrow::Array& array, int64_t index) const {
    if (array.IsNull(index)) {
      return nullptr;
    }
    switch (array.type_id()) {
      case arrow::Type::BOOL:
        return static_cast<const arrow::BooleanArray&>(array).Value(index);
      case arrow::Type::INT8:
        return number<arrow::Int8Array>(array, index);
      case arrow::Type::INT16:
        return number<arrow::Int16Array>(array, index);
      case arrow::Type::INT32:
        return number<arrow::Int32Array>(array, index);
      case arrow::Type::INT64:
        return number<arrow::Int64Array>(array, index);
      case arrow::Type::UINT8:
        return number<arrow::UInt8Array>(array, index);
      case arrow::Type::UINT16:
        return number<arrow::UInt16Array>(array, index);
      case arrow::Type::UINT32:
        return number<arrow::UInt32Array>(array, index);
      case arrow::Type::UINT64:
        return number<arrow::UInt64Array>(array, index);
      case arrow::Type::FLOAT:
        return number<arrow::FloatArray>(array, index);
      case arrow::Type::DOUBLE:
        return number<arrow::DoubleArray>(array, index);
      case arrow::Type::STRING:
        return static_cast<const arrow::StringArray&>(array).GetString(index);
      case arrow::Type::LARGE_STRING:
        return static_cast<const arrow::LargeStringArray&>(array).GetString(index);
      case arrow::Type::LIST:
        return list<arrow::ListArray>(array, index);
      case arrow::Type::LARGE_LIST:
        return list<arrow::LargeListArray>(array, index);
      case arrow::Type::STRUCT:
        return structure(static_cast<const arrow::StructArray&>(array), index);
      default:
        throw Error({.file = file_,
                     .item = fmt::format("column {}", printable(column_)),
                     .found = printable(array.type()->ToString()),
                     .expected = "booleans, numbers, strings, or lists and structs of them"});
    }
  }

 private:
  template <class Array>
  static Json number(const arrow::Array& array, int64_t index) {
    return static_cast<const Array&>(array).Value(index);
  }

  template <class Array>
  Json list(const arrow::Array& array, int64_t index) const {
    const auto& lists = static_cast<const Array&>(array);
    Json elements = Json::array();
    for (int64_t i = lists.value_offset(index); i < lists.value_offset(index + 1); ++i) {
      elements.push_back(read(*lists.values(), i));
    }
    return elements;
  }

  Json structure(const arrow::StructArray& structs, int64_t index) const {
    Json object = Json::object();
    for (int field = 0; field < structs.num_fields(); ++field) {
      object[structs.struct_type()->field(field)->name()] = read(*structs.field(field), index);
    }
    return object;
  }

  std::string file_;
  std::string column_;
};

/// The rows of one group.
std::vector<Json> rows_of(const arrow::Table& table, const std::filesystem::path& path) {
  if (const arrow::Status status = table.ValidateFull(); !status.ok()) {
    fail(path, status);
  }
  std::vector<Json> rows(static_cast<size_t>(table.num_rows()), Json::object());
  for (int column = 0; column < table.num_columns(); ++column) {
    const std::string& name = table.field(column)->name();
    const ElementReader elements(path.string(), name);
    size_t row = 0;
    for (const auto& chunk : table.column(column)->chunks()) {
      for (int64_t i = 0; i < chunk->length(); ++i) {
        rows[row++][name] = elements.read(*chunk, i);
      }
    }
  }
  return rows;
}

}  // namespace

std::vector<Json> read_parquet(const std::filesystem::path& path) {
  std::vector<Json> rows;
  stream_parquet(path, [&](Json row, int64_t) { rows.push_back(std::move(row)); }, {});
  return rows;
}

void stream_parquet(const std::filesystem::path& path,
                    const std::function<void(Json row, int64_t number)>& on_row,
                    const std::function<void(int64_t)>& on_bytes) try {
  open_for_reading(path);  // For the message where the file is missing or a folder.
  const auto file = value_or_fail(arrow::io::ReadableFile::Open(path.string()), path);
  const auto bytes = value_or_fail(file->GetSize(), path);
  const auto reader =
      value_or_fail(parquet::arrow::OpenFile(file, arrow::default_memory_pool()), path);
  const int groups = reader->num_row_groups();
  int64_t number = 0;
  for (int group = 0; group < groups; ++group) {
    const auto table = value_or_fail(reader->ReadRowGroup(group), path);
    for (Json& row : rows_of(*table, path)) {
      on_row(std::move(row), ++number);
    }
    if (on_bytes) {
      on_bytes(bytes * (group + 1) / groups - bytes * group / groups);
    }
  }
} catch (const parquet::ParquetException& exception) {
  fail(path, arrow::Status::Invalid(exception.what()));
}

}  // namespace slayer
