// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "crew.hpp"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <semaphore.h>
#include <string>
#include <thread>
#include <unistd.h>

namespace tsync {
namespace {

/// Not std::binary_semaphore, which can miss a release (GCC bug 104928).
class Event {
  public:
    Event() { ::sem_init(&semaphore_, 0, 0); }
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;
    ~Event() { ::sem_destroy(&semaphore_); }

    void set() { ::sem_post(&semaphore_); }
    void wait() {
        while (::sem_wait(&semaphore_) != 0 && errno == EINTR)
            ;
    }

  private:
    sem_t semaphore_{};
};

} // namespace

struct Crew::Member {
    std::size_t number;
    pid_t tid = 0;
    Job job; ///< empty: end
    int result = 0;
    Event go;
    Event done;
    std::thread thread;

    explicit Member(std::size_t own_number) : number(own_number), thread([this] { work(); }) {
        done.wait();
    }

    void work() {
        tid = ::gettid();
        done.set();
        for (;;) {
            go.wait();
            if (!job)
                return;
            result = job(number);
            done.set();
        }
    }
};

Crew::Crew(std::size_t count) {
    members_.reserve(count);
    for (std::size_t i = 0; i < count; ++i)
        members_.push_back(std::make_unique<Member>(i));
}

Crew::~Crew() {
    for (const auto& member : members_)
        start(member->number, nullptr);
    for (const auto& member : members_)
        member->thread.join();
}

pid_t Crew::tid(std::size_t member) const {
    return members_.at(member)->tid;
}

void Crew::start(std::size_t member, Job job) {
    members_.at(member)->job = std::move(job);
    members_.at(member)->go.set();
}

int Crew::finish(std::size_t member) {
    members_.at(member)->done.wait();
    return members_.at(member)->result;
}

int Crew::on(std::size_t member, const Job& job) {
    start(member, job);
    return finish(member);
}

std::vector<int> Crew::each(const Job& job) {
    std::vector<int> results;
    results.reserve(size());
    for (std::size_t i = 0; i < size(); ++i)
        start(i, job);
    for (std::size_t i = 0; i < size(); ++i)
        results.push_back(finish(i));
    return results;
}

std::size_t Crew::count(const Job& job) {
    const std::vector<int> results = each(job);
    return static_cast<std::size_t>(std::ranges::count(results, 0));
}

bool is_asleep(pid_t thread) {
    std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
    std::string text;
    std::getline(file, text);
    const std::size_t name_end = text.rfind(") ");
    return name_end != std::string::npos && text.compare(name_end + 2, 1, "S") == 0;
}

} // namespace tsync
