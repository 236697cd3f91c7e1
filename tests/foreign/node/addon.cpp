// SPDX-License-Identifier: MIT
// The C++ core as a Node-API addon, so that test suites written in JavaScript can judge it.
//
// It translates and nothing else: functions become the bodies of nodes, values are what nodes hold,
// exceptions pass through C++ and come out again. Dependencies, scheduling, ownership and equality
// are the core's. What effects throw goes to the runtime's error handler, as everywhere; here the
// outermost operation throws the first of it at its end. reset() begins a new runtime.
#include <node_api.h>

#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include "lattice/reactive.hpp"

namespace {

napi_env env = nullptr;

void check(napi_status status) {
  if (status != napi_ok) throw lattice::Error("a call of Node-API failed");
}

// References hold objects only, hence the box.
class JsValue {
 public:
  explicit JsValue(napi_value value) {
    napi_value box = nullptr;
    napi_ref reference = nullptr;
    check(napi_create_object(env, &box));
    check(napi_set_element(env, box, 0, value));
    check(napi_create_reference(env, box, 1, &reference));
    reference_.reset(reference, [](napi_ref old) { napi_delete_reference(env, old); });
  }

  napi_value get() const {
    napi_value box = nullptr, value = nullptr;
    check(napi_get_reference_value(env, reference_.get(), &box));
    check(napi_get_element(env, box, 0, &value));
    return value;
  }

  // Numbers by the core's rule, all else by `===`.
  bool operator==(const JsValue& other) const {
    double mine = 0, theirs = 0;
    if (napi_get_value_double(env, get(), &mine) == napi_ok &&
        napi_get_value_double(env, other.get(), &theirs) == napi_ok) {
      return lattice::DefaultEqual{}(mine, theirs);
    }
    bool same = false;
    check(napi_strict_equals(env, get(), other.get(), &same));
    return same;
  }

 private:
  std::shared_ptr<napi_ref__> reference_;
};

int depth = 0;                             // of operations within one another
std::vector<std::exception_ptr> reported;  // by effects and cleanups, for the outermost to throw
struct Session {
  lattice::Runtime runtime;
  lattice::RuntimeEntry entry{runtime};
};
std::unique_ptr<Session> session;

napi_value undefined() {
  napi_value value = nullptr;
  check(napi_get_undefined(env, &value));
  return value;
}

JsValue call(const JsValue& function) {
  napi_value result = nullptr, thrown = nullptr;
  if (napi_call_function(env, undefined(), function.get(), 0, nullptr, &result) == napi_ok) {
    return JsValue(result);
  }
  check(napi_get_and_clear_last_exception(env, &thrown));
  throw JsValue(thrown);
}

void throw_into_js(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const JsValue& thrown) {
    napi_throw(env, thrown.get());
  } catch (const std::exception& exception) {
    napi_throw_error(env, nullptr, exception.what());
  }
}

// Handles travel through JavaScript as opaque externals.
template <class Handle>
napi_value wrap(Handle handle) {
  napi_value external = nullptr;
  auto* owned = new Handle(handle);
  auto destroy = [](napi_env, void* data, void*) { delete static_cast<Handle*>(data); };
  check(napi_create_external(env, owned, destroy, nullptr, &external));
  return external;
}
template <class Handle>
Handle unwrap(napi_value external) {
  void* data = nullptr;
  check(napi_get_value_external(env, external, &data));
  return *static_cast<Handle*>(data);
}

using Signal = lattice::Signal<JsValue>;
using Memo = lattice::Memo<JsValue>;

// What JavaScript sees; each takes one or two arguments.
napi_value signal(napi_value* arguments) { return wrap(Signal(JsValue(arguments[0]))); }
napi_value read_signal(napi_value* arguments) { return unwrap<Signal>(arguments[0]).get().get(); }
napi_value write_signal(napi_value* arguments) {
  unwrap<Signal>(arguments[0]).set(JsValue(arguments[1]));
  return undefined();
}

napi_value memo(napi_value* arguments) {
  return wrap(lattice::memo([body = JsValue(arguments[0])] { return call(body); }));
}
napi_value read_memo(napi_value* arguments) { return unwrap<Memo>(arguments[0]).get().get(); }

// A function that the body returns is its cleanup.
napi_value effect(napi_value* arguments) {
  return wrap(lattice::effect([body = JsValue(arguments[0])] {
    JsValue result = call(body);
    napi_valuetype type = napi_undefined;
    check(napi_typeof(env, result.get(), &type));
    if (type == napi_function) lattice::on_cleanup([result] { call(result); });
  }));
}
napi_value dispose_effect(napi_value* arguments) {
  unwrap<lattice::Effect>(arguments[0]).dispose();
  return undefined();
}

napi_value batch(napi_value* arguments) {
  return lattice::batch([body = JsValue(arguments[0])] { return call(body); }).get();
}
napi_value untracked(napi_value* arguments) {
  return lattice::untracked([body = JsValue(arguments[0])] { return call(body); }).get();
}

napi_value reset(napi_value*) {
  session.reset();  // before the next one is current
  reported.clear();
  session = std::make_unique<Session>();
  session->runtime.set_error_handler(
      [](std::exception_ptr error, const char*) { reported.push_back(std::move(error)); });
  return undefined();
}

using Operation = napi_value (*)(napi_value* arguments);
template <Operation operation>
napi_value entry_point(napi_env, napi_callback_info info) {
  size_t count = 2;
  napi_value arguments[2] = {};
  napi_value result = nullptr;
  std::exception_ptr error;
  ++depth;
  try {
    check(napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr));
    result = operation(arguments);
  } catch (...) {
    error = std::current_exception();
  }
  if (--depth == 0 && !reported.empty()) {
    if (error == nullptr) error = reported.front();
    reported.clear();
  }
  if (error != nullptr) throw_into_js(error);
  return result;
}

template <Operation operation>
void add(napi_value exports, const char* name) {
  napi_value function = nullptr;
  check(napi_create_function(env, name, NAPI_AUTO_LENGTH, entry_point<operation>, nullptr,
                             &function));
  check(napi_set_named_property(env, exports, name, function));
}

}  // namespace

NAPI_MODULE_INIT(/* napi_env env, napi_value exports */) {
  ::env = env;
  add<signal>(exports, "signal");
  add<read_signal>(exports, "readSignal");
  add<write_signal>(exports, "writeSignal");
  add<memo>(exports, "memo");
  add<read_memo>(exports, "readMemo");
  add<effect>(exports, "effect");
  add<dispose_effect>(exports, "disposeEffect");
  add<batch>(exports, "batch");
  add<untracked>(exports, "untracked");
  add<reset>(exports, "reset");
  return exports;
}
