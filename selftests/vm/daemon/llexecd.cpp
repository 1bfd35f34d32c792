// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexecd.hpp"

#include "catch.hpp"

#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace llexec::vmtest {
namespace {

int serial() {
    static int next = 0;
    return ++next;
}

fs::path built(const std::string& name) {
    return cli().parent_path() / name;
}

} // namespace

Place::Place()
    : root("/srv/llexecd." + std::to_string(serial())), policies(root / "policies.d"),
      config(root / "llexecd.toml"), state(root / "state"), metrics(root / "run/metrics.prom"),
      self_test(built("libexec/self-test")) {
    unload();
    fs::remove_all(root);
    for (const fs::path& directory : {root, policies, state, root / "run"}) {
        fs::create_directories(directory);
        fs::permissions(directory, fs::perms{0755});
    }
    write_file(config, "metrics = \"" + metrics.string() + "\"\n");
}

Place::~Place() {
    std::error_code ignored;
    fs::remove_all(root, ignored);
}

void Place::put(const std::string& name, const std::string& text) const {
    const fs::path fresh = root / "fresh";
    write_file(fresh, "abi = 9\n" + text);
    fs::rename(fresh, policies / (name + ".toml"));
}

void Place::remove(const std::string& name) const {
    fs::remove(policies / (name + ".toml"));
}

Llexecd::Llexecd(const Place& place, const Arguments& before, const InChild& in_child)
    : place_(place), log_(place.root / ("log." + std::to_string(serial()))) {
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    const std::string path = (place.root / ("notify." + std::to_string(serial()))).string();
    REQUIRE(path.size() < sizeof(address.sun_path));
    std::memcpy(address.sun_path, path.c_str(), path.size());
    socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    REQUIRE(::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);

    Arguments arguments = before;
    for (const std::string& argument :
         {built("llexecd").string(), std::string("--config"), place.config.string(),
          std::string("--policies"), place.policies.string(), std::string("--state"),
          place.state.string(), std::string("--self-test-program"), place.self_test.string(),
          std::string("--log"), std::string("json")})
        arguments.push_back(argument);
    process_ = std::make_unique<Process>(arguments, [&] {
        ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
        const int log = ::open(log_.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
        ::dup2(log, STDERR_FILENO);
        ::close(log);
        if (in_child)
            in_child();
    });
}

Llexecd::~Llexecd() {
    process_.reset();
    ::close(socket_);
}

void Llexecd::receive() {
    std::array<char, 4096> buffer{};
    for (;;) {
        const auto size = ::recv(socket_, buffer.data(), buffer.size(), 0);
        if (size <= 0)
            return;
        const std::string message(buffer.data(), static_cast<std::size_t>(size));
        const std::string name = "STATUS=";
        if (const auto at = ("\n" + message).find("\n" + name); at != std::string::npos)
            status_line_ = message.substr(at + name.size());
        notified_ += message + "\n";
    }
}

std::string Llexecd::status_line() {
    receive();
    return status_line_;
}

bool Llexecd::has_notified(const std::string& line) {
    receive();
    const auto at = ("\n" + notified_).find("\n" + line + "\n");
    if (at == std::string::npos)
        return false;
    notified_.erase(0, at + line.size());
    return true;
}

bool Llexecd::is_ready() {
    bool ready = false;
    const auto over = [&] {
        ready = has_notified("READY=1");
        return ready || !is_running();
    };
    // A first load under a storm of executions takes its time.
    for (int i = 0; i < 6 && !eventually(over);)
        ++i;
    return ready;
}

bool Llexecd::reload() {
    signal(SIGHUP);
    return eventually([&] { return has_notified("RELOADING=1"); }) && is_ready();
}

pid_t Llexecd::pid() const {
    return process_->pid();
}

void Llexecd::signal(int signal) const {
    ::kill(process_->pid(), signal);
}

Ended Llexecd::stop() {
    if (is_running())
        signal(SIGTERM);
    return process_->wait();
}

std::vector<Json> Llexecd::said(const std::string& part) const {
    std::vector<Json> records;
    std::ifstream stream(log_);
    for (std::string line; std::getline(stream, line);) {
        Json record = Json::parse(line, nullptr, false);
        if (record.is_object() &&
            record["MESSAGE"].get<std::string>().find(part) != std::string::npos)
            records.push_back(std::move(record));
    }
    return records;
}

} // namespace llexec::vmtest
