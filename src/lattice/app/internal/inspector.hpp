// SPDX-License-Identifier: MIT
// The inspector: a page of the server's own that shows the sessions' dependency graphs, in dev
// mode.
//
//   /_lattice/inspect                   the page        (ServerOptions::inspector_page)
//   /_lattice/inspect/inspector.js      its script      (ServerOptions::inspector_script)
//   /_lattice/inspect/sessions          {"sessions": [{"id", "path", "agent", "live"}]}
//   /_lattice/inspect/session/<id>?...  what HostedSession::inspect answers
//
// It shows values of the app's users, so it answers only to this very machine, and to pages of its
// own: the peer and the Host are loopback, no proxy has forwarded the request, and a browser says
// that no other site asks. Everybody else gets the 404 of a path that does not exist.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lattice/app/internal/session_table.hpp"
#include "lattice/net/exchange.hpp"

namespace lattice::app::internal {

inline constexpr std::string_view kInspectorPath = "/_lattice/inspect";

bool may_inspect(const net::RequestHead& head);

class Inspector {
 public:
  // Empty page: there is no inspector.
  Inspector(std::string page, std::string script);

  // False when the path is none of the inspector's, or the request may not see it.
  bool serve(const std::shared_ptr<net::Exchange>& exchange, std::string_view path,
             const SessionTable& table) const;

 private:
  std::shared_ptr<const std::string> page_;
  std::shared_ptr<const std::string> script_;
};

}  // namespace lattice::app::internal
