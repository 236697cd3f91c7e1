// SPDX-License-Identifier: MIT
#include "lattice/app/ui_host.hpp"

#include <utility>

namespace lattice::app {

namespace {

class UiHostedSession final : public HostedSession {
 public:
  UiHostedSession(std::shared_ptr<const UiHostOptions> options, const SessionRequest& request,
                  const PageContext& page, std::function<void()> wake)
      : options_(std::move(options)),
        request_(request),
        page_(page),
        session_(ui::SessionOptions{page.dev, options_->describe, options_->log}) {
    session_.runtime().mailbox().set_wake(std::move(wake));
  }

  std::string first_paint() override {
    session_.segment([&] {
      if (options_->opened) options_->opened(session_, request_);
      opened_ = true;
    });
    session_.segment([&] { session_.mount(options_->make_root(session_, request_)); });
    std::string content = session_.html();
    return page_document(options_->page, page_, content, session_.node_count());
  }

  void connect(std::shared_ptr<FrameSink> sink) override {
    session_.connect([sink](std::vector<uint8_t> frame) { sink->send(std::move(frame)); });
  }

  Result<void> receive(std::span<const uint8_t> frame) override { return session_.receive(frame); }
  uint16_t close_code() const override { return session_.close_code(); }
  uint64_t dropped_events() const override { return session_.counters().events_dropped; }
  void drain() override { session_.drain(); }
  bool is_waiting() const override { return session_.is_waiting(); }

  // No segment: looking at the graph neither flushes nor sends anything.
  std::string inspect(std::string_view query) override {
    if (!options_->inspect) return {};
    RuntimeEntry entry(session_.runtime());
    return options_->inspect(session_, query);
  }

  void close() override {
    session_.close();
    if (opened_ && options_->closed) {
      session_.segment([&] { options_->closed(session_); });
    }
  }

 private:
  std::shared_ptr<const UiHostOptions> options_;
  SessionRequest request_;
  PageContext page_;
  ui::Session session_;
  bool opened_ = false;
};

class UiFactory final : public SessionFactory {
 public:
  explicit UiFactory(UiHostOptions options)
      : options_(std::make_shared<const UiHostOptions>(std::move(options))) {}

  std::unique_ptr<HostedSession> create(const SessionRequest& request, const PageContext& page,
                                        std::function<void()> wake) override {
    return std::make_unique<UiHostedSession>(options_, request, page, std::move(wake));
  }

 private:
  std::shared_ptr<const UiHostOptions> options_;
};

}  // namespace

std::shared_ptr<SessionFactory> make_ui_factory(UiHostOptions options) {
  return std::make_shared<UiFactory>(std::move(options));
}

}  // namespace lattice::app
