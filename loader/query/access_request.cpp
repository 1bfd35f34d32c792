// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// "read:/etc/passwd" and the like.
#include "llexec/explain.hpp"
#include "policy/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace llexec {
namespace {

using Target = AccessRequest::Target;

struct Verb {
    AccessVerb shown;
    Target target;
    AccessClass access_class;
    std::string_view rights;                ///< names, separated by spaces
    std::string_view object_rights = "";    ///< see AccessRequest
    std::string_view directory_rights = ""; ///< see AccessRequest
    std::string_view source_rights = "";    ///< see AccessRequest
    std::string_view regular_rights = "";   ///< see AccessRequest
    std::string_view device_rights = "";    ///< see AccessRequest
};

// The one place to add a verb.
constexpr std::array verbs{
    Verb{{"read", "PATH", "open for reading, or list a directory"},
         Target::object,
         AccessClass::fs,
         "read_file",
         "",
         "read_dir"},
    Verb{{"write", "PATH", "open an existing file for writing"},
         Target::object,
         AccessClass::fs,
         "write_file"},
    Verb{{"overwrite", "PATH", "open an existing file for writing, and truncate it"},
         Target::object,
         AccessClass::fs,
         "write_file truncate",
         "",
         "",
         "",
         "truncate"},
    Verb{{"truncate", "PATH", "change the size, as truncate(2)"},
         Target::object,
         AccessClass::fs,
         "truncate",
         "",
         "",
         "",
         "truncate"},
    Verb{{"exec", "PATH", "execute a program"},
         Target::object,
         AccessClass::fs,
         "execute read_file"},
    Verb{{"ioctl", "PATH", "open a device for ioctl(2)"},
         Target::object,
         AccessClass::fs,
         "ioctl_dev",
         "",
         "",
         "",
         "",
         "ioctl_dev"},
    Verb{{"unix-connect", "PATH", "connect to a socket of a program outside of the domain"},
         Target::object,
         AccessClass::fs,
         "resolve_unix"},
    Verb{{"create", "PATH", "create a file and write to it"},
         Target::directory,
         AccessClass::fs,
         "make_reg",
         "write_file"},
    Verb{{"mkdir", "PATH", "create a directory"}, Target::directory, AccessClass::fs, "make_dir"},
    Verb{{"symlink", "PATH", "create a symbolic link"},
         Target::directory,
         AccessClass::fs,
         "make_sym"},
    Verb{{"mkfifo", "PATH", "create a FIFO"}, Target::directory, AccessClass::fs, "make_fifo"},
    Verb{{"mksock", "PATH", "bind a unix socket"}, Target::directory, AccessClass::fs, "make_sock"},
    Verb{{"mkchar", "PATH", "create a character device"},
         Target::directory,
         AccessClass::fs,
         "make_char"},
    Verb{{"mkblock", "PATH", "create a block device"},
         Target::directory,
         AccessClass::fs,
         "make_block"},
    Verb{{"unlink", "PATH", "remove a file"}, Target::directory, AccessClass::fs, "remove_file"},
    Verb{{"rmdir", "PATH", "remove a directory"}, Target::directory, AccessClass::fs, "remove_dir"},
    Verb{{"rename", "OLD:NEW", "rename a file or directory"}, Target::rename, AccessClass::fs, ""},
    Verb{{"link", "OLD:NEW", "make another name of a file"}, Target::link, AccessClass::fs, ""},
    Verb{{"tcp-bind", "PORT", "bind a TCP socket"}, Target::port, AccessClass::net, "bind_tcp"},
    Verb{{"tcp-connect", "PORT", "connect a TCP socket"},
         Target::port,
         AccessClass::net,
         "connect_tcp"},
    Verb{{"udp-bind", "PORT", "bind a UDP socket"}, Target::port, AccessClass::net, "bind_udp"},
    Verb{{"udp-send", "PORT", "send to a UDP port from a socket that is not bound, or connect it"},
         Target::port,
         AccessClass::net,
         "connect_send_udp",
         "",
         "",
         "bind_udp"},
    Verb{{"unix-abstract", "", "connect to an abstract unix socket outside of the domain"},
         Target::scope,
         AccessClass::scope,
         "abstract_unix_socket"},
    Verb{{"signal", "", "send a signal to a process outside of the domain"},
         Target::scope,
         AccessClass::scope,
         "signal"},
};

constexpr auto shown_verbs = [] {
    std::array<AccessVerb, verbs.size()> result{};
    std::ranges::transform(verbs, result.begin(), &Verb::shown);
    return result;
}();

std::uint64_t mask_of(AccessClass access_class, std::string_view names) {
    std::uint64_t mask = 0;
    while (!names.empty()) {
        const std::size_t end = std::min(names.find(' '), names.size());
        mask |= find_access_right(access_class, names.substr(0, end))->bit;
        names.remove_prefix(std::min(end + 1, names.size()));
    }
    return mask;
}

Error unknown_verb(std::string_view verb) {
    std::vector<std::string_view> names;
    names.reserve(verbs.size() + access_rights().size());
    for (const Verb& known : verbs)
        names.push_back(known.shown.name);
    for (const AccessRight& right : access_rights())
        names.push_back(right.name);
    const auto meant = closest(verb, names);
    names.resize(verbs.size());
    return {.kind = ErrorKind::policy,
            .code = 0,
            .what = fmt::format("unknown access '{}'", printable(verb)),
            .hint = meant ? fmt::format("did you mean '{}'?", *meant)
                          : fmt::format("it is {}, or the name of a right", alternatives(names)),
            .diagnostics = {}};
}

std::unexpected<Error> malformed(std::string_view text, std::string_view wanted) {
    return failure(ErrorKind::policy,
                   fmt::format("'{}' does not say what is accessed", printable(text)),
                   fmt::format("write {}", wanted));
}

/// A verb, or a right for which there is none.
std::optional<Verb> find_verb(std::string_view name) {
    if (const auto* const found =
            std::ranges::find(verbs, name, [](const Verb& verb) { return verb.shown.name; });
        found != verbs.end())
        return *found;
    for (const AccessRight& right : access_rights()) {
        if (right.name != name)
            continue;
        const Target target = right.access_class == AccessClass::fs    ? Target::object
                              : right.access_class == AccessClass::net ? Target::port
                                                                       : Target::scope;
        const std::string_view argument = target == Target::object ? "PATH"
                                          : target == Target::port ? "PORT"
                                                                   : "";
        return Verb{{right.name, argument, ""}, target, right.access_class, right.name};
    }
    return std::nullopt;
}

Result<> set_argument(AccessRequest& request, const Verb& verb, std::string_view argument) {
    const std::string wanted = fmt::format(
        "{}{}{}", verb.shown.name, verb.shown.argument.empty() ? "" : ":", verb.shown.argument);
    switch (verb.target) {
    case Target::scope:
        return argument.empty() ? Result<>{} : malformed(request.text, wanted);
    case Target::port: {
        const auto [end, error] = std::from_chars(argument.begin(), argument.end(), request.port);
        if (error != std::errc{} || end != argument.end())
            return malformed(request.text, wanted + ", a port is 0 to 65535");
        return {};
    }
    case Target::rename:
    case Target::link: {
        const std::size_t middle = argument.rfind(":/");
        if (middle == std::string_view::npos || middle == 0)
            return malformed(request.text, wanted + ", two absolute paths");
        request.path = argument.substr(0, middle);
        request.new_path = argument.substr(middle + 1);
        break;
    }
    case Target::object:
    case Target::directory:
        request.path = argument;
        break;
    }
    if (!request.path.starts_with('/') || request.path.contains('\0'))
        return malformed(request.text, wanted + ", with an absolute path");
    return {};
}

} // namespace

std::span<const AccessVerb> access_verbs() {
    return shown_verbs;
}

Result<AccessRequest> parse_access(std::string_view text) {
    const std::size_t colon = text.find(':');
    const std::optional<Verb> verb = find_verb(text.substr(0, colon));
    if (!verb)
        return std::unexpected(unknown_verb(text.substr(0, colon)));
    AccessRequest request{.text = std::string(text), .target = verb->target};
    request.rights = mask_of(verb->access_class, verb->rights);
    request.object_rights = mask_of(verb->access_class, verb->object_rights);
    request.directory_rights = mask_of(verb->access_class, verb->directory_rights);
    request.source_rights = mask_of(verb->access_class, verb->source_rights);
    request.regular_rights = mask_of(verb->access_class, verb->regular_rights);
    request.device_rights = mask_of(verb->access_class, verb->device_rights);
    const std::string_view argument =
        colon == std::string_view::npos ? std::string_view{} : text.substr(colon + 1);
    if (Result<> set = set_argument(request, *verb, argument); !set)
        return std::unexpected(std::move(set.error()));
    return request;
}

} // namespace llexec
