// SPDX-License-Identifier: MIT
// Arrays for tests of kernels.
#pragma once

#include <cstring>
#include <memory>
#include <vector>

#include "lattice/jit/kernel.hpp"

namespace lattice::jit::testing {

// A C-contiguous array that owns its elements and can show views of them.
template <class T>
class Array {
 public:
  Array(std::vector<int64_t> extent, std::vector<T> values)
      : extent_(std::move(extent)), values_(values.begin(), values.end()) {
    set_strides();
  }
  explicit Array(std::vector<int64_t> extent, T fill = T{}) : extent_(std::move(extent)) {
    int64_t n = 1;
    for (int64_t e : extent_) n *= e;
    values_.assign(static_cast<size_t>(n), Element{fill});
    set_strides();
  }

  ArrayView view() {
    return {values_.data(), type_of<T>(), static_cast<int>(extent_.size()), extent_.data(),
            stride_.data()};
  }
  T operator[](size_t i) const { return values_[i].value; }
  size_t size() const { return values_.size(); }
  std::vector<T> values() const {
    std::vector<T> out;
    for (const Element& e : values_) out.push_back(e.value);
    return out;
  }

 private:
  struct Element {  // vector<bool> would be packed
    T value;
    Element(T v) : value(v) {}
  };

  void set_strides() {
    stride_.resize(extent_.size());
    int64_t each = sizeof(T);
    for (size_t k = extent_.size(); k-- > 0;) {
      stride_[k] = each;
      each *= extent_[k];
    }
  }

  std::vector<int64_t> extent_;
  std::vector<int64_t> stride_;
  std::vector<Element> values_;
};

inline uint32_t run(Kernel& kernel, std::vector<ArrayView> args, std::vector<ArrayView> outputs) {
  return kernel.run(args, outputs);
}

}  // namespace lattice::jit::testing
