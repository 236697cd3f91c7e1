// SPDX-License-Identifier: MIT
// Random trees for property tests; the same seed gives the same tree.
#pragma once

#include <algorithm>
#include <random>
#include <set>
#include <string>

#include "lattice/ui/vdom/vnode.hpp"

namespace lattice::vdom::internal {

class RandomTree {
 public:
  explicit RandomTree(uint32_t seed) : random_(seed) {}

  VNode element(int depth) {
    static constexpr const char* kTags[] = {"div", "p", "ul", "li", "span"};
    VNode node = VNode::element(kTags[random_() % 5]);
    attrs(node);
    if (depth > 0) children(node, depth);
    return node;
  }

  // Fragments and slots too, which only the diff takes.
  bool with_slots = true;

 private:
  void attrs(VNode& node) {
    static constexpr const char* kNames[] = {"class", "title", "style.color", "class.on", "hidden"};
    for (const char* name : kNames) {
      if (random_() % 3 != 0) continue;
      node.attrs.push_back(
          {name, std::string(name) == "class.on" ? Value(random_() % 2 == 0) : scalar()});
    }
    std::shuffle(node.attrs.begin(), node.attrs.end(), random_);
  }

  Value scalar() {
    switch (random_() % 5) {
      case 0:
        return nullptr;
      case 1:
        return random_() % 2 == 0;
      case 2:
        return static_cast<int64_t>(random_() % 4);
      case 3:
        return static_cast<double>(random_() % 4) / 2;
      default:
        return std::string(random_() % 3, 'x');
    }
  }

  void children(VNode& node, int depth) {
    std::set<int64_t> used;
    const size_t count = random_() % 7;
    for (size_t i = 0; i < count; ++i) {
      VNode child = this->child(depth);
      const auto key = static_cast<int64_t>(random_() % 9);
      if (child.kind != VNode::Kind::Text && random_() % 2 == 0 && used.insert(key).second) {
        child.key = key;
      }
      node.children.push_back(std::move(child));
    }
  }

  VNode child(int depth) {
    switch (random_() % (with_slots ? 8 : 6)) {
      case 0:
        return VNode::text(scalar());
      case 1:
        return VNode::raw_html(random_() % 2 == 0 ? "<b>x</b>" : "y");
      case 6:
        return VNode::slot({static_cast<uint32_t>(random_() % 3)});
      case 7: {
        VNode node = VNode::fragment({});
        children(node, depth - 1);
        return node;
      }
      default:
        return element(depth - 1);
    }
  }

  std::mt19937 random_;
};

}  // namespace lattice::vdom::internal
