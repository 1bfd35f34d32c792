// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// explain against the kernel: random policies are enforced with landlock_restrict_self(2) in child
// processes, which then do what explain was asked about.
#include "catch.hpp"
#include "llexec/explain.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <random>
#include <sched.h>
#include <span>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace llexec;
namespace fs = std::filesystem;

namespace {

constexpr int not_tried = -1; ///< in place of an errno value

int result_of(int value) {
    return value < 0 ? errno : 0;
}

int open_and_close(const std::string& path, int flags) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK, 0600);
    if (fd < 0)
        return errno;
    ::close(fd);
    return 0;
}

sockaddr_un unix_address(std::string_view name, socklen_t& size) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    REQUIRE(name.size() < sizeof(address.sun_path));
    std::memcpy(address.sun_path, name.data(), name.size());
    size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    return address;
}

int with_socket(int family, int type, const std::function<int(int)>& use) {
    const int fd = ::socket(family, type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    const int result = result_of(use(fd));
    ::close(fd);
    return result;
}

int with_unix(std::string_view name, int (*use)(int, const sockaddr*, socklen_t)) {
    socklen_t size = 0;
    const sockaddr_un address = unix_address(name, size);
    return with_socket(AF_UNIX, SOCK_STREAM, [&](int fd) {
        return use(fd, reinterpret_cast<const sockaddr*>(&address), size);
    });
}

int with_inet(int type, std::uint16_t port, int (*use)(int, const sockaddr*, socklen_t)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return with_socket(AF_INET, type, [&](int fd) {
        return use(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    });
}

int device_ioctl(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return not_tried; // reading is denied
    int value = 0;
    const int result = result_of(::ioctl(fd, TIOCGWINSZ, &value));
    ::close(fd);
    return result;
}

int execute(const std::string& path) {
    // Empty: it is opened for execution, and then is no program.
    const std::array<char*, 1> none{nullptr};
    return result_of(::execve(path.c_str(), none.data(), none.data()));
}

const std::string abstract_name = fmt::format("{}llexec-explain-{}", '\0', ::getpid());

/// What the verb stands for; an errno value or 0.
int perform(const std::string& verb, const AccessRequest& request) {
    const std::string& path = request.path;
    const char* const name = path.c_str();
    if (verb == "read")
        return open_and_close(path, O_RDONLY);
    if (verb == "write")
        return open_and_close(path, O_WRONLY);
    if (verb == "overwrite")
        return open_and_close(path, O_WRONLY | O_TRUNC);
    if (verb == "truncate")
        return result_of(::truncate(name, 0));
    if (verb == "exec")
        return execute(path);
    if (verb == "ioctl")
        return device_ioctl(path);
    if (verb == "unix-connect")
        return with_unix(path, ::connect);
    if (verb == "create")
        return open_and_close(path, O_WRONLY | O_CREAT | O_EXCL);
    if (verb == "mkdir")
        return result_of(::mkdir(name, 0700));
    if (verb == "symlink")
        return result_of(::symlink("nothing", name));
    if (verb == "mkfifo")
        return result_of(::mkfifo(name, 0600));
    if (verb == "mksock")
        return with_unix(path, ::bind);
    if (verb == "mkchar")
        return result_of(::mknod(name, S_IFCHR | 0600, makedev(1, 3)));
    if (verb == "mkblock")
        return result_of(::mknod(name, S_IFBLK | 0600, makedev(7, 200)));
    if (verb == "unlink")
        return result_of(::unlink(name));
    if (verb == "rmdir")
        return result_of(::rmdir(name));
    if (verb == "rename")
        return result_of(::rename(name, request.new_path.c_str()));
    if (verb == "link")
        return result_of(::link(name, request.new_path.c_str()));
    if (verb == "tcp-bind")
        return with_inet(SOCK_STREAM, request.port, ::bind);
    if (verb == "tcp-connect")
        return with_inet(SOCK_STREAM, request.port, ::connect);
    if (verb == "udp-bind")
        return with_inet(SOCK_DGRAM, request.port, ::bind);
    if (verb == "udp-send")
        return with_inet(SOCK_DGRAM, request.port, ::connect);
    if (verb == "unix-abstract")
        return with_unix(abstract_name, ::connect);
    if (verb == "signal")
        return result_of(::kill(::getppid(), 0));
    return not_tried;
}

/// Lets this process mount, which it does in namespaces of its own from then on. An errno value or
/// 0.
int enter_namespaces() {
    const std::string user = fmt::format("{0} {0} 1", ::geteuid());
    const std::string group = fmt::format("{0} {0} 1", ::getegid());
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        return errno;
    std::ofstream("/proc/self/setgroups") << "deny";
    std::ofstream("/proc/self/uid_map") << user;
    std::ofstream("/proc/self/gid_map") << group;
    return result_of(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr));
}

/// A small tree, with something of everything in it.
class Tree {
  public:
    /// On a file system of its own, if it is `mounted`.
    explicit Tree(bool mounted = false) : mounted_(mounted) {
        std::string name = (fs::temp_directory_path() / "llexec-explain-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        root_ = fs::canonical(name);
        REQUIRE((!mounted || ::mount("none", root_.c_str(), "tmpfs", 0, nullptr) == 0));
        socket_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        abstract_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bind_to(abstract_, abstract_name);
        make();
    }
    Tree(const Tree&) = delete;
    Tree& operator=(const Tree&) = delete;
    ~Tree() {
        ::close(socket_);
        ::close(abstract_);
        if (mounted_)
            ::umount2(root_.c_str(), MNT_DETACH);
        std::error_code ignored;
        fs::remove_all(root_, ignored);
    }

    void make() {
        for (const auto& entry : fs::directory_iterator(root_))
            fs::remove_all(entry.path());
        for (const char* directory : {"a", "a/b", "a/b/c", "d", "d/e"})
            fs::create_directory(root_ / directory);
        for (const char* file : {"f", "a/f", "a/b/f", "a/b/c/f", "a/b/c/g", "d/f", "d/e/f"}) {
            std::ofstream(root_ / file).close();
            fs::permissions(root_ / file, fs::perms::owner_all);
        }
        fs::create_symlink("../d", root_ / "a/link");
        fs::create_symlink("b/f", root_ / "a/flink");
        ::mkfifo((root_ / "d/fifo").c_str(), 0600);
        ::close(socket_);
        socket_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bind_to(socket_, (root_ / "d/s").string());
    }

    [[nodiscard]] std::string path(std::string_view below) const { return root_ / below; }

  private:
    static void bind_to(int fd, std::string_view name) {
        socklen_t size = 0;
        const sockaddr_un address = unix_address(name, size);
        REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0);
        REQUIRE(::listen(fd, 4096) == 0);
    }

    bool mounted_;
    fs::path root_;
    int socket_ = -1;
    int abstract_ = -1;
};

const std::vector<std::string> directories{"", "a", "a/b", "a/b/c", "d", "d/e", "a/link"};
const std::vector<std::string> files{"f",       "a/f", "a/b/f", "a/b/c/f",   "a/b/c/g",
                                     "a/flink", "d/f", "d/e/f", "a/link/e/f"};
const std::vector<std::string> above{"/", ".."};
const std::vector<std::string> others{"d/fifo", "a/link"};

class Random {
  public:
    explicit Random(unsigned seed) : engine_(seed) {}

    int number(int from, int to) { return std::uniform_int_distribution(from, to)(engine_); }
    bool one_in(int n) { return number(1, n) == 1; }
    const std::string& pick(const std::vector<std::string>& from) {
        return from[static_cast<std::size_t>(number(0, static_cast<int>(from.size()) - 1))];
    }
    /// Each bit with a chance of `numerator` in 8.
    std::uint64_t subset(std::uint64_t mask, int numerator) {
        std::uint64_t result = 0;
        for (; mask != 0; mask &= mask - 1)
            if (number(1, 8) <= numerator)
                result |= mask & -mask;
        return result;
    }

  private:
    std::mt19937 engine_;
};

Policy random_policy(Random& random, const Tree& tree, const KernelSupport& support) {
    Policy policy;
    policy.name = "random";
    policy.file = "random.toml";
    policy.handled = {.fs = random.subset(support.rights.fs, random.number(1, 8)),
                      .net = random.subset(support.rights.net, 4),
                      .scoped = random.subset(support.rights.scoped, 4)};
    if (random.one_in(4))
        policy.handled.fs = 0;
    if (policy.handled.empty())
        policy.handled.fs = 4;
    for (int i = random.number(0, 6); i > 0; --i) {
        const std::string where = random.one_in(6)   ? random.pick(above)
                                  : random.one_in(3) ? random.pick(files)
                                                     : random.pick(directories);
        std::uint64_t access = random.subset(policy.handled.fs, random.number(2, 8));
        if (std::ranges::find(files, where) != files.end())
            access |= policy.handled.fs & file_rights() & -(policy.handled.fs & file_rights());
        if (access == 0 ||
            (std::ranges::find(files, where) != files.end() && (access & file_rights()) == 0))
            continue;
        policy.paths.push_back({.path = tree.path(where), .access = access});
    }
    for (int i = random.number(0, 3); i > 0; --i)
        if (const std::uint64_t access = random.subset(policy.handled.net, 4); access != 0)
            policy.ports.push_back({.port = static_cast<std::uint16_t>(random.number(40000, 40003)),
                                    .access = access});
    return policy;
}

/// The layers of one domain.
std::vector<Policy> random_policies(Random& random, const Tree& tree,
                                    const KernelSupport& support) {
    std::vector<Policy> policies{random_policy(random, tree, support)};
    if (random.one_in(2))
        policies.push_back(random_policy(random, tree, support));
    return policies;
}

/// The verb and what it is asked for.
std::string random_access(Random& random, const Tree& tree, const std::string& verb) {
    const auto in = [&](const std::string& directory, std::string_view name) {
        return tree.path(directory.empty() ? std::string(name)
                                           : fmt::format("{}/{}", directory, name));
    };
    const auto entry = [&] {
        return tree.path(random.one_in(2)   ? random.pick(files)
                         : random.one_in(3) ? random.pick(others)
                                            : random.pick({"a/b", "a/b/c", "d/e", "d"}));
    };
    const auto of_any_type = [&] {
        return random.one_in(3)   ? "/dev/null"
               : random.one_in(2) ? tree.path("d/fifo")
                                  : tree.path(random.pick(files));
    };
    if (verb == "signal" || verb == "unix-abstract")
        return verb;
    if (verb == "ioctl")
        return verb + ":" + (random.one_in(4) ? of_any_type() : "/dev/null");
    if (verb == "unix-connect")
        return verb + ":" + tree.path("d/s");
    if (verb.starts_with("tcp") || verb.starts_with("udp"))
        return fmt::format("{}:{}", verb, random.number(40000, 40003));
    if (verb == "read")
        return verb + ":" + tree.path(random.pick(random.one_in(2) ? files : directories));
    if (verb == "unlink")
        return verb + ":" + tree.path(random.pick(files));
    if (verb == "rmdir")
        return verb + ":" + tree.path(random.pick({"a/b", "a/b/c", "d/e", "d"}));
    if (verb == "rename")
        return fmt::format("{}:{}:{}", verb, entry(),
                           random.one_in(3) ? entry() : in(random.pick(directories), "new"));
    if (verb == "link")
        return fmt::format("{}:{}:{}", verb, tree.path(random.pick(files)),
                           in(random.pick(directories), "new"));
    if (verb == "overwrite" || verb == "truncate")
        return verb + ":" + of_any_type();
    if (verb == "write" || verb == "exec")
        return verb + ":" + tree.path(random.pick(files));
    return verb + ":" + in(random.pick(directories), "new");
}

/// The kernel answers some of these before it asks Landlock.
bool makes_sense(const AccessRequest& request) {
    if (request.target != AccessRequest::Target::rename)
        return true;
    const auto real = [](const std::string& path) {
        return (fs::canonical(fs::path(path).parent_path()) / fs::path(path).filename()).string();
    };
    const std::string from = real(request.path);
    const std::string to = real(request.new_path);
    return from != to && !to.starts_with(from + "/") && !from.starts_with(to + "/");
}

struct Asked {
    std::string verb;
    AccessRequest request;
};

/// In a child process, under these rulesets, one after the other.
std::vector<int> perform_confined(std::span<const BuiltRuleset> rulesets,
                                  std::span<const Asked> accesses) {
    int pipe_fds[2];
    REQUIRE(::pipe2(pipe_fds, O_CLOEXEC) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const bool confined = ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                              std::ranges::all_of(rulesets, [](const BuiltRuleset& ruleset) {
                                  return system_landlock().restrict_self(ruleset.fd.get(), 0) == 0;
                              });
        for (const Asked& asked : accesses) {
            const int result = confined ? perform(asked.verb, asked.request) : not_tried;
            if (::write(pipe_fds[1], &result, sizeof(result)) != sizeof(result))
                ::_exit(1);
        }
        ::_exit(confined ? 0 : 1);
    }
    ::close(pipe_fds[1]);
    std::vector<int> results(accesses.size(), not_tried);
    for (int& result : results)
        REQUIRE(::read(pipe_fds[0], &result, sizeof(result)) == sizeof(result));
    ::close(pipe_fds[0]);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(status == 0);
    return results;
}

/// If it is allowed the tree is another one afterwards.
bool changes_tree(const Asked& asked) {
    using enum AccessRequest::Target;
    return asked.request.target == directory || asked.request.target == rename ||
           asked.request.target == link;
}

bool is_denial(const AccessRequest& request, int error) {
    return request.target == AccessRequest::Target::scope ? error == EPERM
                                                          : error == EACCES || error == EXDEV;
}

std::string description(std::span<const Policy> policies) {
    std::string text;
    for (const Policy& policy : policies) {
        text += fmt::format("handled {:#x} {:#x} {:#x}\n", policy.handled.fs, policy.handled.net,
                            policy.handled.scoped);
        for (const PathRule& rule : policy.paths)
            text += fmt::format("  {} {:#x}\n", rule.path, rule.access);
        for (const PortRule& rule : policy.ports)
            text += fmt::format("  {} {:#x}\n", rule.port, rule.access);
    }
    return text;
}

/// What the program gets from all layers together: of errors, EACCES goes before EXDEV.
int error_of(const Explainer& explainer, const AccessRequest& request) {
    const auto verdicts = explainer.explain(request);
    REQUIRE(verdicts.has_value());
    int error = 0;
    for (const Verdict& verdict : *verdicts) {
        REQUIRE(verdict.allowed == (verdict.error == 0));
        if (error != EACCES && !verdict.allowed)
            error = verdict.error;
    }
    return error;
}

/// Random accesses of these verbs, under random policies: other ones in each round.
void compare_with_kernel(Tree& tree, Random& random, const std::vector<std::string>& verbs,
                         int rounds) {
    const auto support = query_kernel_support();
    REQUIRE(support.has_value());
    std::map<std::string, std::pair<int, int>, std::less<>> answers; // allowed, denied
    const auto compare = [&](std::span<const Policy> policies, std::span<const Asked> accesses) {
        const auto explainer = Explainer::make(policies, *support);
        REQUIRE(explainer.has_value());
        std::vector<int> explained;
        for (const Asked& asked : accesses)
            explained.push_back(error_of(*explainer, asked.request));
        std::vector<BuiltRuleset> rulesets;
        for (const Policy& policy : policies) {
            auto built = build_ruleset(policy, *support);
            REQUIRE(built.has_value());
            rulesets.push_back(std::move(*built));
        }
        const std::vector<int> results = perform_confined(rulesets, accesses);
        for (std::size_t i = 0; i < accesses.size(); ++i) {
            if (results[i] == not_tried)
                continue;
            const AccessRequest& request = accesses[i].request;
            INFO(description(policies) << request.text << ": error " << results[i]);
            // Every answer is compared; only what disagrees is reported one by one.
            if ((is_denial(request, results[i]) ? results[i] : 0) != explained[i])
                FAIL_CHECK("explain: error " << explained[i]);
            auto& [allowed, denied] = answers[accesses[i].verb];
            ++(explained[i] == 0 ? allowed : denied);
        }
    };
    for (int round = 0; round < rounds; ++round) {
        const std::vector<Policy> policies = random_policies(random, tree, *support);
        const auto explainer = Explainer::make(policies, *support);
        REQUIRE(explainer.has_value());
        // What changes nothing is done by one child, and the rest by one child each, each in a new
        // tree. create is among the rest: a file may be made, and then not be opened.
        std::vector<Asked> together;
        std::vector<Asked> alone;
        for (int i = 0; i < 100; ++i) {
            const std::string& verb = random.pick(verbs);
            const auto request = parse_access(random_access(random, tree, verb));
            REQUIRE(request.has_value());
            if (!makes_sense(*request))
                continue;
            const Asked asked{.verb = verb, .request = *request};
            const bool denied = error_of(*explainer, *request) != 0;
            if (!changes_tree(asked) || (denied && verb != "create"))
                together.push_back(asked);
            else if (alone.size() < 8)
                alone.push_back(asked);
        }
        compare(policies, together);
        for (const Asked& asked : alone) {
            compare(policies, std::span(&asked, 1));
            tree.make();
        }
    }
    for (const std::string& verb : verbs) {
        INFO(verb << ": " << answers[verb].first << " allowed, " << answers[verb].second
                  << " denied");
        CHECK(answers[verb].first > 0);
        // A kernel that cannot restrict it allows it always.
        const auto request = parse_access(random_access(random, tree, verb));
        const AccessClass access_class =
            request->target == AccessRequest::Target::port    ? AccessClass::net
            : request->target == AccessRequest::Target::scope ? AccessClass::scope
                                                              : AccessClass::fs;
        if (request->rights == 0 || (support->rights.of(access_class) & request->rights) != 0)
            CHECK(answers[verb].second > 0);
    }
}

} // namespace

TEST_CASE("explain says what the kernel does") {
    Tree tree;
    Random random(20260501);

    // What cannot be done without a policy either (mknod(2) as an ordinary user) says nothing.
    std::vector<std::string> verbs;
    for (const AccessVerb& verb : access_verbs()) {
        const auto request = parse_access(random_access(random, tree, std::string(verb.name)));
        REQUIRE(request.has_value());
        const Asked asked{.verb = std::string(verb.name), .request = *request};
        const int result = perform_confined({}, std::span(&asked, 1)).front();
        tree.make();
        if (result != not_tried && result != EPERM && result != EACCES)
            verbs.emplace_back(verb.name);
        else
            WARN("without a policy, " << verb.name << " gives error " << result << ": left out");
    }
    CHECK(verbs.size() >= access_verbs().size() - 2);
    compare_with_kernel(tree, random, verbs, 150);
}

// The last one: the process stays in its namespaces.
TEST_CASE("explain says what the kernel does on another mount than the root's") {
    if (const int error = enter_namespaces(); error != 0) {
        // In the machine, it is root who asks.
        if (std::getenv("VMTEST") != nullptr)
            FAIL("nothing can be mounted here: " << std::strerror(error));
        WARN("skipped, nothing can be mounted here: " << std::strerror(error));
        return;
    }
    Tree tree(true);
    Random random(20261127);
    compare_with_kernel(tree, random, {"rename", "link"}, 400);
}
