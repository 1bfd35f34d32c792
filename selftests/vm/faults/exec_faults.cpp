// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "exec_faults.hpp"

#include "catch.hpp"

#include <sys/mman.h>
#include <unistd.h>

namespace llexec::vmtest {
namespace {

/// What the program says about the fault that it was executed with.
class Answer {
  public:
    Answer() : file_(::memfd_create("answer", MFD_CLOEXEC)) { REQUIRE(file_ >= 0); }
    Answer(const Answer&) = delete;
    Answer& operator=(const Answer&) = delete;
    ~Answer() { ::close(file_); }

    void clear() const {
        REQUIRE(::ftruncate(file_, 0) == 0);
        REQUIRE(::lseek(file_, 0, SEEK_SET) == 0);
    }
    void become_stdout() const { ::dup2(file_, STDOUT_FILENO); }
    /// Whether an allocation failed; true as well if it says nothing.
    [[nodiscard]] bool failed() const {
        char left = '0';
        return ::pread(file_, &left, 1, 0) != 1 || left == '0';
    }

  private:
    int file_;
};

/// Where one execution belongs. `failed`: whether an allocation did.
unsigned& place_of(Totals& totals, const Target& target, const Execution& execution, bool failed) {
    // Of a refused one, this is about the execution that followed.
    const bool ran = execution.signal == 0;
    if (ran && execution.files == target.unrestricted)
        return totals.unrestricted;
    if (ran && execution.files != target.confined)
        return totals.strange;
    if (!failed || (execution.error != 0 && !ran))
        return totals.strange;
    if (execution.error != 0)
        return totals.refused;
    return ran ? totals.done : totals.killed;
}

} // namespace

FaultWorld::FaultWorld()
    : root(ext4().mount / "fault_tests"), program(root / "bin/program"),
      script(root / "bin/script"), beneath(root / "beneath/program"),
      layered(root / "layered/program"), may_be_free(root / "bin/may_be_free"), open(root / "open"),
      closed(root / "closed"), closed_by_it(root / "closed_by_it") {
    fs::remove_all(root);
    const fs::path interpreter = root / "bin/interpreter";
    for (const fs::path& path : {program, interpreter, beneath, layered, may_be_free})
        place_small_probe(path);
    write_file(script, "#!" + interpreter.string() + " --fault\n", fs::perms{0755});
    for (const fs::path& directory : {open, closed, closed_by_it}) {
        fs::create_directories(directory);
        write_file(directory / "file", "content\n");
    }
}

FaultWorld::~FaultWorld() {
    std::error_code ignored;
    fs::remove_all(root, ignored);
}

std::string FaultWorld::policy(const std::string& match) const {
    const auto quoted = [](const fs::path& path) {
        return "\"" + path.string() + "\"";
    };
    // The program has to get at its fault, in /proc.
    return match + "[[ruleset]]\nhandled_access_fs = [\"abi.all\"]\n[[path_beneath]]\n" +
           "allowed_access = [\"abi.all\"]\nparent = [\"/proc\", " + quoted(open) + ", " +
           quoted(closed_by_it) + "]\n";
}

Target program_of(const FaultWorld& world, const fs::path& program) {
    return {.path = program,
            .arguments = {"--fault", world.open / "file", world.closed / "file"},
            .confined = 0b01,
            .unrestricted = 0b11,
            .before = {}};
}

Target script_of(const FaultWorld& world) {
    // The first file that it is asked to read is itself, as its interpreter gets it.
    return {.path = world.script,
            .arguments = {world.open / "file", world.closed / "file"},
            .confined = 0b010,
            .unrestricted = 0b111,
            .before = {}};
}

int files_of(const Target& target) {
    const Answer answer;
    Launcher launcher(target.path, target.arguments);
    launcher.before = [&] {
        answer.become_stdout();
        if (target.before)
            target.before();
    };
    const Execution execution = launcher.run();
    CAPTURE(execution.error, execution.signal);
    CHECK(execution.error == 0);
    CHECK(execution.signal == 0);
    return execution.files;
}

Totals fail_each_allocation(const std::string& name, const Target& target) {
    const Answer answer;
    Totals totals;
    unsigned nth = 0;
    bool failed_at_error = false;
    Launcher launcher(target.path, target.arguments);
    launcher.before = [&] {
        answer.become_stdout();
        if (target.before)
            target.before();
        const Fault fault;
        fault.arm(nth);
    };
    launcher.after_error = [&] {
        const Fault fault;
        failed_at_error = fault.take_back();
        return true;
    };
    for_each_allocation([&](unsigned next) {
        REQUIRE(next < 20000);
        nth = next;
        answer.clear();
        const Execution execution = launcher.run();
        const bool failed = execution.error != 0 ? failed_at_error : answer.failed();
        CAPTURE(name, nth, failed, execution.error, execution.signal, execution.files);
        if (!failed && execution.error == 0 && execution.signal == 0) {
            CHECK(execution.files == target.confined);
            return false;
        }
        totals.failed += 1;
        place_of(totals, target, execution, failed) += 1;
        return failed;
    });
    report(name, totals);
    return totals;
}

} // namespace llexec::vmtest
