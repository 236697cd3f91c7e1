// SPDX-License-Identifier: MIT
#include "lattice/app/serve.hpp"

#include <csignal>
#include <cstdio>
#include <fstream>
#include <iterator>

#include "lattice/app/internal/client_bundle.hpp"
#include "lattice/app/signal_set.hpp"
#include "lattice/app/ui_host.hpp"

namespace lattice {

namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error("cannot read " + path + ": client_folder needs client.js and client.css");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void take_client(app::ServerOptions& server, const std::string& folder) {
  if (!folder.empty()) {
    server.client_script = read_file(folder + "/client.js");
    server.client_style = read_file(folder + "/client.css");
  } else if (server.client_script.empty()) {
    server.client_script = app::internal::client_script();
    server.client_style = app::internal::client_style();
  }
  if (server.client_script.empty()) {
    throw Error(
        "this program was built without the browser runtime: run `npm ci && npm run build` "
        "in client/ and build again, or set client_folder");
  }
}

std::unique_ptr<app::Server> make_server(ui::ComponentSource page, ServeOptions options) {
  app::ServerOptions server = std::move(options.server);
  server.host = std::move(options.host);
  server.port = options.port;
  server.dev = options.dev;
  take_client(server, options.client_folder);
  app::UiHostOptions host;
  host.page.title = std::move(options.title);
  host.page.language = std::move(options.language);
  host.make_root = [page = std::move(page)](ui::Session&, const app::SessionRequest&) {
    return page.make_component();
  };
  return std::make_unique<app::Server>(app::make_ui_factory(std::move(host)), std::move(server));
}

}  // namespace

Server::Server(ui::ComponentSource page, ServeOptions options)
    : server_(make_server(std::move(page), std::move(options))) {}

int serve(ui::ComponentSource page, ServeOptions options) {
  try {
    app::SignalSet signals({SIGINT, SIGTERM});
    Server server(std::move(page), std::move(options));
    server.start();
    std::printf("Serving on %s (Ctrl+C stops)\n", server.url().c_str());
    std::fflush(stdout);
    signals.wait();
    server.stop();
    return 0;
  } catch (const Error& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 2;
  }
}

}  // namespace lattice
