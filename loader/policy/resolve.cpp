// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// From a body to the rules of a policy: templates are expanded.
#include "policy/body.hpp"
#include "policy/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace llexec {
namespace {

// Far more than anyone means, and little enough to hold: each reference in a template multiplies.
constexpr std::size_t max_expanded_paths = 65536;
constexpr std::size_t max_expanded_bytes = 16UL * 1024 * 1024;
// Each path keeps where it is granted, and so each rule on a template multiplies too.
constexpr std::size_t max_path_grants = 1UL * 1024 * 1024;

// For a suggestion, a name is compared with all of these.
constexpr std::size_t max_compared_names = 1000;

std::uint64_t access_of(const std::vector<Grant>& grants) {
    std::uint64_t access = 0;
    for (const Grant& grant : grants)
        access |= grant.access;
    return access;
}

/// Several templates of one file can stand for the same path.
void sort(std::vector<Grant>& grants) {
    const auto place = [](const Grant& grant) {
        return std::pair(grant.file, grant.position);
    };
    std::ranges::sort(grants, {}, place);
    grants.erase(std::ranges::unique(grants).begin(), grants.end());
}

class Resolver {
  public:
    Resolver(const Body& body, std::span<Reader* const> readers, Policy& policy)
        : body_(body), readers_(readers), policy_(policy) {}

    void resolve() {
        policy_.abi = body_.abi;
        policy_.handled = body_.handled;
        policy_.quiet = body_.quiet;
        for (const QuietKey& key : body_.quiet_keys)
            check_handled(key);
        for (const auto& [name, values] : body_.variables)
            if (names_.size() < max_compared_names)
                names_.emplace_back(name);
        for (const auto& [text, rule] : body_.paths)
            add_template(text, rule);
        for (auto& [path, rule] : paths_) {
            sort(rule.grants);
            policy_.paths.push_back(std::move(rule));
        }
        for (const auto& [port, rule] : body_.ports) {
            check_quiet(rule, AccessClass::net);
            PortRule& own = policy_.ports.emplace_back(PortRule{.port = port});
            own.access = access_of(rule.grants);
            own.quiet = rule.quiet;
            own.grants = rule.grants;
            sort(own.grants);
        }
    }

  private:
    [[nodiscard]] Reader& reader_of(const Grant& grant) const { return *readers_[grant.file]; }

    /// What is not handled is never denied, so there is nothing to be quiet about.
    void check_handled(const QuietKey& key) const {
        if ((key.rights & ~body_.handled.of(key.access_class)) != 0)
            readers_[key.file]->error(
                key.position, fmt::format("'{}' has rights that are not handled", key.spelling),
                "what is not handled is never denied: list only handled rights");
    }

    void add_template(const std::string& text, const BodyPath& rule) {
        check_quiet(rule, AccessClass::fs);
        if (!are_declared(rule) || too_many_)
            return;
        const Grant& first = rule.grants.front();
        const Template::Extent extent = rule.text.extent(body_.variables);
        if (extent.strings > max_expanded_paths - expanded_paths_ ||
            extent.bytes > max_expanded_bytes - expanded_bytes_ ||
            (extent.strings != 0 &&
             rule.grants.size() > (max_path_grants - path_grants_) / extent.strings)) {
            too_many_ = true;
            reader_of(first).error(
                first.position, fmt::format("'{}' stands for too many paths", printable(text)),
                fmt::format(
                    "the variables of a policy may make {} paths, of {} bytes in all, which "
                    "rules may name {} times",
                    max_expanded_paths, max_expanded_bytes, max_path_grants));
            return;
        }
        expanded_paths_ += extent.strings;
        expanded_bytes_ += extent.bytes;
        path_grants_ += extent.strings * rule.grants.size();
        const std::uint64_t access = access_of(rule.grants);
        bool names_something = false;
        bool relative = false;
        for (const std::string& path : rule.text.expand(body_.variables)) {
            if (path.empty())
                continue;
            names_something = true;
            relative = relative || !path.starts_with('/');
            add_path(normalize_path(path), rule, access);
        }
        for (const Grant& grant : rule.grants) {
            if (!names_something && !text.empty())
                reader_of(grant).lint(
                    "empty-path", grant.position,
                    fmt::format("'{}' names nothing: its variables are empty", printable(text)),
                    "the rights of this rule are denied everywhere");
            if (relative)
                reader_of(grant).lint(
                    "relative-path", grant.position,
                    fmt::format("'{}' is a relative path", printable(text)),
                    "it means the working directory of whoever loads the policy: write an "
                    "absolute path");
        }
    }

    [[nodiscard]] bool are_declared(const BodyPath& rule) const {
        bool all = true;
        for (const std::string_view name : rule.text.references()) {
            if (body_.variables.contains(name))
                continue;
            all = false;
            const bool listed = !reader_of(rule.grants.front()).full();
            const auto meant = listed ? closest(name, names_) : std::nullopt;
            for (const Grant& grant : rule.grants)
                reader_of(grant).error(
                    grant.position, fmt::format("variable '{}' is not declared", name),
                    meant ? fmt::format("did you mean '{}'?", *meant)
                          : fmt::format("declare it in {}, with its values in literal",
                                        reader_of(grant).table("variable")));
        }
        return all;
    }

    /// The kernel refuses a quiet rule in a ruleset without quiet rights.
    template<class Rule>
    void check_quiet(const Rule& rule, AccessClass access_class) const {
        if (!rule.quiet || body_.quiet.of(access_class) != 0)
            return;
        const Reader& reader = reader_of(rule.grants.front());
        reader_of(rule.grants.front())
            .error(rule.grants.front().position, "a quiet rule, but no right of its class is quiet",
                   fmt::format("list the rights in {}",
                               reader.key(access_class == AccessClass::fs ? "quiet_access_fs"
                                                                          : "quiet_access_net")));
    }

    void add_path(const std::string& path, const BodyPath& rule, std::uint64_t access) {
        PathRule& own = paths_.try_emplace(path, PathRule{.path = path}).first->second;
        own.access |= access;
        own.quiet = own.quiet || rule.quiet;
        own.grants.insert(own.grants.end(), rule.grants.begin(), rule.grants.end());
    }

    const Body& body_;
    std::span<Reader* const> readers_;
    Policy& policy_;
    std::size_t expanded_paths_ = 0;
    std::size_t expanded_bytes_ = 0;
    std::size_t path_grants_ = 0;
    bool too_many_ = false;
    std::vector<std::string_view> names_; ///< of variables that are declared
    std::map<std::string, PathRule, std::less<>> paths_;
};

} // namespace

void resolve_body(const Body& body, std::span<Reader* const> readers, Policy& policy) {
    Resolver(body, readers, policy).resolve();
}

} // namespace llexec
