// SPDX-License-Identifier: MIT
// Hosts ui::Session under the server: each page gets a session whose root component the embedding
// layer makes. This is where net's connections and ui's sessions meet.
#pragma once

#include <functional>
#include <memory>

#include "lattice/app/hosted_session.hpp"
#include "lattice/app/page.hpp"
#include "lattice/ui/session.hpp"

namespace lattice::app {

struct UiHostOptions {
  PageOptions page;
  // Makes the page. Called once per session, in its first segment.
  std::function<std::unique_ptr<ui::Component>(ui::Session&, const SessionRequest&)> make_root;
  // Around a session's life; both in a segment, both may be empty.
  std::function<void(ui::Session&, const SessionRequest&)> opened;  // before make_root
  std::function<void(ui::Session&)> closed;                         // after everything was disposed
  // Answers the inspector's page, with the session's runtime current. It must change nothing.
  std::function<std::string(ui::Session&, std::string_view query)> inspect;
  // See ui::SessionOptions.
  std::function<ui::ErrorReport(std::exception_ptr)> describe;
  std::function<void(const std::string&)> log;
};

std::shared_ptr<SessionFactory> make_ui_factory(UiHostOptions options);

}  // namespace lattice::app
