// What a runner can do no more once it has loaded a solution, by a filter of system calls (seccomp) that nothing takes away.
#pragma once
#include <cerrno>
#include <cstddef>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <vector>

#if defined(__x86_64__)
#define SEAL_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define SEAL_ARCH AUDIT_ARCH_AARCH64
#else
#error "no filter of system calls is known for this processor"
#endif

namespace seal_parts {

constexpr sock_filter load(std::size_t offset) { return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<unsigned>(offset)); }
constexpr sock_filter end(unsigned verdict) { return BPF_STMT(BPF_RET | BPF_K, verdict); }
constexpr unsigned refusal(int error) { return SECCOMP_RET_ERRNO | static_cast<unsigned>(error); }

// Starting programs, reaching into other processes, changing what lies in directories and who may, and ways around all that. Files
// may be opened and written: the driver of the GPU does so whenever it likes.
const std::vector<int> FORBIDDEN = {
    SYS_execve,       SYS_execveat,        SYS_ptrace,   SYS_process_vm_readv,  SYS_process_vm_writev,
    SYS_tkill,        SYS_rt_sigqueueinfo, SYS_unshare,  SYS_rt_tgsigqueueinfo, SYS_setns,
    SYS_mknodat,      SYS_mkdirat,         SYS_unlinkat, SYS_linkat,            SYS_symlinkat,
    SYS_renameat,     SYS_renameat2,       SYS_fchmodat, SYS_fchmod,            SYS_fchownat,
    SYS_bpf,          SYS_userfaultfd,     SYS_mount,    SYS_perf_event_open,
#ifdef __x86_64__
    SYS_fork,         SYS_vfork,           SYS_mknod,    SYS_mkdir,             SYS_rmdir,
    SYS_unlink,       SYS_link,            SYS_symlink,  SYS_rename,            SYS_chmod,
#endif
    // Numbers that not all headers name yet; the same on every processor.
    425 /* io_uring_setup */, 424 /* pidfd_send_signal */, 434 /* pidfd_open */, 438 /* pidfd_getfd */, 452 /* fchmodat2 */,
};

// Refuses a call unless an argument is a certain number, or has a flag.
inline void refuse_unless(std::vector<sock_filter>& filter, int call, unsigned short comparison, unsigned value) {
  filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(call), 0, 4));
  filter.push_back(load(offsetof(seccomp_data, args)));
  filter.push_back(BPF_JUMP(static_cast<unsigned short>(BPF_JMP | comparison | BPF_K), value, 1, 0));
  filter.push_back(end(refusal(EPERM)));
  filter.push_back(end(SECCOMP_RET_ALLOW));
}

}  // namespace seal_parts

// From here on no thread of this process starts a program, touches another process or opens a directory that is closed to it. False
// when that cannot be had.
inline bool seal() {
  using namespace seal_parts;
  std::vector<sock_filter> filter = {
      load(offsetof(seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SEAL_ARCH, 1, 0),
      end(SECCOMP_RET_KILL_PROCESS),
      load(offsetof(seccomp_data, nr)),
#ifdef __x86_64__
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000u, 0, 1),
      end(refusal(EPERM)),
#endif
  };
  const auto refuse = [&](int call, int error) {
    filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(call), 0, 1));
    filter.push_back(end(refusal(error)));
  };
  for (const int call : FORBIDDEN) refuse(call, EPERM);
  // It takes what is asked in memory, where no filter can look; without it the C library uses the older one.
  refuse(435 /* clone3 */, ENOSYS);
  const unsigned self = static_cast<unsigned>(getpid());
  refuse_unless(filter, SYS_clone, BPF_JSET, CLONE_THREAD);
  refuse_unless(filter, SYS_kill, BPF_JEQ, self);
  refuse_unless(filter, SYS_tgkill, BPF_JEQ, self);
  filter.push_back(end(SECCOMP_RET_ALLOW));
  const sock_fprog program = {static_cast<unsigned short>(filter.size()), filter.data()};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0;
}
