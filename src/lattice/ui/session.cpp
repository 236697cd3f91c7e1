// SPDX-License-Identifier: MIT
#include "lattice/ui/session.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "lattice/ui/vdom/html.hpp"

namespace lattice::ui {

namespace {

thread_local Session* current_session = nullptr;

// Changes between first paint and adoption wait in the first frame; beyond this the page is sent
// anew instead.
constexpr size_t kUnadoptedBytesMax = 64 * 1024;

ErrorReport describe_standard(std::exception_ptr error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& exception) {
    return {exception.what(), {}};
  } catch (...) {
    return {"unknown error", {}};
  }
}

}  // namespace

Session* Session::current() noexcept { return current_session; }

Session::Session(SessionOptions options) : options_(std::move(options)), tree_(*this) {
  if (!options_.describe) options_.describe = describe_standard;
  if (!options_.log) {
    options_.log = [](const std::string& message) {
      std::fprintf(stderr, "%s\n", message.c_str());
    };
  }
  RuntimeEntry entry(runtime_);
  owner_ = Owner::create();
  runtime_.hold_user_effects(true);
  runtime_.set_error_handler([this](std::exception_ptr error, const char* name) {
    report_error(error, nullptr, name != nullptr && *name != '\0' ? name : "an effect");
  });
}

Session::~Session() { close(); }

void Session::segment(const std::function<void()>& fn) {
  if (in_segment_) return fn();
  RuntimeEntry entry(runtime_);
  Session* outer = std::exchange(current_session, this);
  in_segment_ = true;
  if (segment_begins_) segment_begins_();
  try {
    batch(fn);
  } catch (...) {
    report_error(std::current_exception(), nullptr, "a segment");
  }
  send_frame();
  in_segment_ = false;
  current_session = outer;
}

void Session::mount(std::unique_ptr<Component> root) {
  segment([&] { owner_.run([&] { tree_.mount(std::move(root)); }); });
}

std::string Session::html() {
  std::string out;
  segment([&] {
    run_effects();
    LATTICE_ASSERT(tree_.root() != nullptr);
    node_count_ = tree_.number_all();
    painted_ = true;
    try {
      // One fragment, so that the rule for adjacent texts also holds at the top.
      vdom::write_html(out, vdom::VNode::fragment(tree_.resolve_all()));
    } catch (...) {
      // HTML cannot say it (a script that holds its own end tag, say); the client builds the page.
      ErrorReport shown = report(std::current_exception(), "the first paint");
      out = "<span class=\"lattice-error\" role=\"alert\">";
      vdom::escape_text(out, shown.title);
      out += "</span>";
      stale_ = true;
    }
  });
  return out;
}

void Session::connect(SendFrame send) { send_ = std::move(send); }

void Session::drain() {
  if (closed_) return;
  segment([&] { runtime_.drain_mailbox(); });
}

void Session::close() {
  if (closed_) return;
  closed_ = true;
  adopted_ = false;
  send_ = nullptr;
  segment([&] {
    tree_.unmount();
    owner_.dispose();
  });
}

// Effects run when the segment's batch ends: end it here, and go on in a new one. Inside a batch of
// the handler's own this runs nothing yet.
void Session::run_effects() {
  reactive::Graph& graph = runtime_.graph();
  struct Reopen {
    reactive::Graph& graph;
    ~Reopen() { graph.open_batch(); }
  } reopen{graph};
  graph.close_batch();
}

void Session::flush() {
  LATTICE_ASSERT(in_segment_);
  run_effects();
  send_frame();
}

void Session::set_title(std::string title) {
  if (title == title_) return;
  title_ = std::move(title);
  if (vdom::FrameEncoder* encoder = frame()) encoder->title(title_);
}

// ---- Down ---------------------------------------------------------------------------------------

vdom::FrameEncoder* Session::frame() {
  if (adopted_) return open_frame();
  if (!painted_ || stale_ || closed_) return nullptr;
  if (encoder_.size() > kUnadoptedBytesMax) {
    stale_ = true;
    encoder_ = {};
    return nullptr;
  }
  return open_frame();
}

vdom::FrameEncoder* Session::open_frame() {
  if (!encoder_.is_open()) encoder_.begin(sent_seq_ + 1, client_seq_);
  return &encoder_;
}

void Session::send_frame() {
  if (!adopted_ || !encoder_.is_open()) return;
  const bool is_needed = encoder_.has_ops() || sent_seq_ == 0;  // the first one answers HELLO
  std::vector<uint8_t> bytes = encoder_.take();
  if (!is_needed || !send_) return;  // the next frame has a fresher ack
  ++sent_seq_;
  ++counters_.frames_sent;
  counters_.bytes_sent += bytes.size();
  send_(std::move(bytes));
}

void Session::send_page_anew() {
  vdom::FrameEncoder* encoder = frame();
  encoder->reset();
  uint32_t id = tree_.next_id();
  node_count_ = tree_.number_all();
  for (const vdom::VNode& tree : tree_.resolve_all()) {
    encoder->insert(0, 0, id, tree, tree_.listen_resolver());
    id += static_cast<uint32_t>(vdom::count_nodes(tree));
  }
}

// ---- Up -----------------------------------------------------------------------------------------

Result<void> Session::receive(std::span<const uint8_t> bytes) {
  close_code_ = 1002;
  Result<vdom::ClientFrame> decoded = vdom::decode_client_frame(bytes, &close_code_);
  if (!decoded) return Failure{decoded.error()};
  if (auto* greeting = std::get_if<vdom::Hello>(&decoded.value())) return hello(*greeting);
  if (!adopted_) return Failure{"the first frame is not HELLO"};
  if (auto* input = std::get_if<vdom::ClientEvent>(&decoded.value())) return event(*input);
  uint64_t ack = std::get<vdom::Acknowledgement>(decoded.value()).ack;
  if (ack > sent_seq_) return Failure{"an ack for a frame that was never sent"};
  return {};
}

Result<void> Session::hello(const vdom::Hello& hello) {
  if (adopted_) return Failure{"a second HELLO"};
  if (!painted_ || !send_) return Failure{"HELLO before the first paint"};
  adopted_ = true;
  segment([&] {
    if (stale_ || hello.node_count != node_count_) {
      encoder_ = {};
      stale_ = false;
      send_page_anew();
    } else {
      frame();  // open, so that the client gets its first frame even when there is nothing to say
      tree_.emit_unadopted();
    }
    tree_.emit_errors();
    if (!title_.empty()) frame()->title(title_);
    runtime_.hold_user_effects(false);
  });
  return {};
}

Result<void> Session::event(const vdom::ClientEvent& event) {
  if (event.seq != client_seq_ + 1) return Failure{"client seq out of order"};
  if (event.ack > sent_seq_) return Failure{"an ack for a frame that was never sent"};
  client_seq_ = event.seq;
  ++counters_.events;
  LiveNode* node = tree_.find_listening(event.node);
  if (node == nullptr || (LiveTree::find_handler(*node, event.type) == nullptr &&
                          LiveTree::find_two_way(*node, event.type) == nullptr)) {
    ++counters_.events_dropped;
    return {};
  }
  segment([&] { dispatch(*node, event); });
  return {};
}

void Session::dispatch(LiveNode& node, const vdom::ClientEvent& event) {
  if (event.revision) {
    node.input_revision =
        std::max(node.input_revision,
                 static_cast<uint32_t>(std::min<uint64_t>(*event.revision, UINT32_MAX)));
  }
  // What the user sees now is known; only what differs from it has to be sent.
  if (event.value) {
    if (LiveAttribute* shown = node.find_attribute("value")) shown->value = *event.value;
  }
  if (event.selected) {
    if (LiveAttribute* shown = node.find_attribute("value")) {
      std::string lines;
      for (const std::string& chosen : *event.selected)
        lines += (lines.empty() ? "" : "\n") + chosen;
      shown->value = std::move(lines);
    }
  }
  if (event.checked) {
    if (LiveAttribute* shown = node.find_attribute("checked")) shown->value = *event.checked;
  }
  if (event.open) {
    if (LiveAttribute* shown = node.find_attribute("open")) shown->value = *event.open;
  }
  bool is_written = false;
  try {
    if (LiveAttribute* bound = LiveTree::find_two_way(node, event.type)) {
      std::string type = node.tag;
      if (LiveAttribute* declared = node.find_attribute("type")) {
        type = vdom::to_text(declared->value);
      }
      is_written = bound->binding->write(Edit{bound->name, type, event});
    }
    // Held here: a flush inside the handler may re-render, or remove, the node that owns it.
    if (std::shared_ptr<Handler> handler = LiveTree::find_handler(node, event.type)) {
      handler->call(event);
    }
    if (LiveNode* still = tree_.find_listening(event.node)) tree_.clear_error(*still);
  } catch (...) {
    report_error(std::current_exception(), tree_.find_listening(event.node), event.type);
  }
  if (!is_written) return;
  // The handler may have taken the edit back: then the signal has not changed, but what the user
  // sees has. So the binding compares once more.
  LiveNode* still = tree_.find_listening(event.node);
  LiveAttribute* bound = still != nullptr ? LiveTree::find_two_way(*still, event.type) : nullptr;
  if (bound != nullptr) bound->effect.schedule();
}

// ---- Errors -------------------------------------------------------------------------------------

ErrorReport Session::report(std::exception_ptr error, std::string_view where) {
  ++counters_.errors;
  ErrorReport full = options_.describe(error);
  std::string message = "error in " + std::string(where) + ": " + full.title;
  if (!full.detail.empty()) message += "\n" + full.detail;
  options_.log(message);
  if (options_.dev) return full;
  return {"Something went wrong here.", {}};
}

void Session::report_error(std::exception_ptr error, LiveNode* node, std::string_view where) {
  ErrorReport shown = report(error, where);
  if (closed_) return;
  if (node == nullptr) node = tree_.root();
  LiveNode* place = node != nullptr ? LiveTree::first_dom(*node) : nullptr;
  if (place != nullptr) untracked([&] { tree_.show_error(*place, std::move(shown)); });
}

void Session::report_handler_error(std::exception_ptr error, uint32_t node_id,
                                   std::string_view where) {
  report_error(error, tree_.find_listening(node_id), where);
}

void Session::report_effect_error(std::exception_ptr error, reactive::NodeHandle effect,
                                  std::string_view where) {
  report_error(error, tree_.find_component(effect), where);
}

}  // namespace lattice::ui
