// Result<T>: a value or one sentence a user can act on. For failures of the host's side (files, images,
// memory).
#pragma once

#include <optional>
#include <string>
#include <utility>

namespace lapwing {

struct Error {
  std::string message;
};

template <class T>
class Result {
 public:
  Result(T value) : value_(std::move(value)) {}
  Result(Error error) : error_(std::move(error)) {}
  bool ok() const { return value_.has_value(); }
  T& value() { return *value_; }
  const T& value() const { return *value_; }
  const std::string& error() const { return error_.message; }

 private:
  std::optional<T> value_;
  Error error_;
};

template <>
class Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)), failed_(true) {}
  bool ok() const { return !failed_; }
  const std::string& error() const { return error_.message; }

 private:
  Error error_;
  bool failed_ = false;
};

}  // namespace lapwing
