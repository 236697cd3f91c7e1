// SPDX-License-Identifier: MIT
#include "log_thread.hpp"

#include <nanobind/nanobind.h>

#include <utility>

namespace nb = nanobind;

namespace lattice::python {

namespace {

const char* method_of(net::LogLevel level) {
  switch (level) {
    case net::LogLevel::Debug:
      return "debug";
    case net::LogLevel::Info:
      return "info";
    case net::LogLevel::Warning:
      return "warning";
    case net::LogLevel::Error:
      return "error";
  }
  return "error";
}

}  // namespace

void log_to_python(net::LogLevel level, std::string_view message) {
  try {
    nb::object logger = nb::module_::import_("logging").attr("getLogger")("lattice");
    // Bytes of a peer may be in it.
    nb::object text = nb::steal(
        PyUnicode_DecodeUTF8(message.data(), static_cast<Py_ssize_t>(message.size()), "replace"));
    logger.attr(method_of(level))("%s", text);
  } catch (nb::python_error& error) {
    error.discard_as_unraisable("a log record of the server");
  }
}

void LogThread::start() {
  std::lock_guard lock(mutex_);
  if (is_running_) return;
  is_running_ = true;
  thread_ = std::thread([this] { run(); });
}

void LogThread::stop() {
  {
    std::lock_guard lock(mutex_);
    is_running_ = false;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void LogThread::log(net::LogLevel level, std::string_view message) {
  if (!Py_IsInitialized()) return;
  // In a segment: at once, so that the record stands among those of the handler.
  if (PyGILState_Check() != 0) return log_to_python(level, message);
  {
    std::lock_guard lock(mutex_);
    if (!is_running_) return;
    if (queue_.size() >= kQueuedMax) {
      ++dropped_;
      return;
    }
    queue_.push_back({level, std::string(message)});
  }
  changed_.notify_one();
}

void LogThread::run() {
  for (;;) {
    std::deque<Record> records;
    size_t dropped = 0;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return !is_running_ || !queue_.empty(); });
      if (queue_.empty()) return;
      records.swap(queue_);
      dropped = std::exchange(dropped_, 0);
    }
    nb::gil_scoped_acquire gil;
    for (const Record& record : records) log_to_python(record.level, record.message);
    if (dropped > 0) {
      log_to_python(net::LogLevel::Warning,
                    std::to_string(dropped) + " log records of the server were dropped");
    }
  }
}

}  // namespace lattice::python
