// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "attach/rules.hpp"

#include <algorithm>

namespace llexec::attach {
namespace {

bool contains(const std::vector<std::uint64_t>& places, std::uint64_t place) {
    return place == LLEXEC_ANY_PLACE || std::ranges::find(places, place) != places.end();
}

class Selector {
  public:
    Selector(const Maps& maps, std::uint64_t generation, const Candidate& candidate)
        : maps_(maps), generation_(generation), candidate_(candidate) {}

    Result<std::set<std::uint32_t>> run() {
        const llexec_file_id& file = candidate_.file;
        add(MapId::by_inode, llexec_inode_key{.generation = generation_, .inode = file.inode});
        add(MapId::by_path, llexec_path_key{.generation = generation_,
                                            .path_hash = file.path_hash,
                                            .dev = file.inode.dev,
                                            .reserved = 0});
        for (const auto* const places : {&candidate_.directories, &candidate_.cgroups})
            for (const std::uint64_t place : *places)
                add(MapId::by_place, llexec_place_key{.generation = generation_, .place = place});
        add(MapId::by_user, id_key(candidate_.user));
        for (const std::uint32_t group : candidate_.groups)
            add(MapId::by_group, id_key(group));
        if (error_)
            return std::unexpected(std::move(*error_));
        if (never_)
            policies_.clear();
        return std::move(policies_);
    }

  private:
    [[nodiscard]] llexec_id_key id_key(std::uint32_t id) const {
        return {.generation = generation_, .id = id, .reserved = 0};
    }

    template<class Key>
    void add(MapId map, const Key& key) {
        if (error_)
            return;
        const auto range = maps_.find<llexec_rule_range>(map, key);
        if (!range)
            error_ = range.error();
        else if (*range && (*range)->never != 0)
            never_ = never_ || candidate_.user == 0;
        else if (*range)
            add_rules((*range)->first, (*range)->count);
    }

    void add_rules(std::uint32_t first, std::uint32_t count) {
        for (std::uint32_t i = first; i < first + count && !error_; ++i) {
            const auto rule = maps_.find<llexec_rule>(MapId::rules, id_key(i));
            if (!rule)
                error_ = rule.error();
            else if (*rule && holds(**rule))
                policies_.insert((*rule)->policy);
        }
    }

    [[nodiscard]] bool holds(const llexec_rule& rule) const {
        return (rule.user == LLEXEC_ANY_ID || rule.user == candidate_.user) &&
               (rule.group == LLEXEC_ANY_ID ||
                std::ranges::find(candidate_.groups, rule.group) != candidate_.groups.end()) &&
               contains(candidate_.cgroups, rule.cgroup) &&
               contains(candidate_.directories, rule.directory);
    }

    const Maps& maps_;
    std::uint64_t generation_;
    const Candidate& candidate_;
    std::set<std::uint32_t> policies_;
    bool never_ = false;
    std::optional<Error> error_;
};

} // namespace

Result<std::set<std::uint32_t>>
select_policies(const Maps& maps, const llexec_generation& generation, const Candidate& candidate) {
    return Selector(maps, generation.generation, candidate).run();
}

} // namespace llexec::attach
