import { KEEPER_SCRIPT } from './keeper.ts';
import type { Limits } from './schema.ts';

/** What of the host a sandbox sees. */
export interface HostView {
  /** Whether this process has root's rights here; otherwise the sandbox is made in a user namespace. */
  isRoot: boolean;
  /** The directories beside `/usr` that hold programs and libraries; with the target of those that are links. */
  systemDirectories: readonly { path: string; link?: string | undefined }[];
  /** The node that runs this. */
  node: string;
}

/** Where programs find the host's node. */
export const NODE_DIRECTORY = '/opt/clade/bin';
/**
 * Whom programs run as, where this process has root's rights. Elsewhere they are called root and still have none: for
 * another name `bwrap` would make a second user namespace in the first, which cannot be entered from outside.
 */
const USER_ID = 1000;

export const WRITABLE = ['/workspace', '/agent', '/task', '/clade', '/tmp'];
/** The files of the host's configuration without which its programs do not work as usual. None of them is secret. */
const CONFIGURATION = [
  'alternatives',
  'ld.so.cache',
  'ld.so.conf',
  'ld.so.conf.d',
  'localtime',
  'nsswitch.conf',
  'ssl/openssl.cnf',
];
/** Made for the sandbox, and read by `bwrap` from open files: the first from 4, and so on. */
export const MADE_FILES: readonly { path: string; content: string }[] = [
  { path: '/etc/passwd', content: `root:x:0:0:root:/:/bin/sh\nclade:x:${USER_ID}:${USER_ID}:clade:/tmp:/bin/sh\n` },
  { path: '/etc/group', content: `root:x:0:\nclade:x:${USER_ID}:\n` },
  { path: '/etc/hosts', content: '127.0.0.1 localhost sandbox\n::1 localhost\n' },
];
const MIB = 1024 * 1024;

/**
 * The arguments of `bwrap` for an empty sandbox with its keeper, which says `ready`. It expects open files: 3 to write to
 * where the sandbox is, 4 and up to read `MADE_FILES` from. One file system in memory holds all that is writable, so
 * that its size is the limit for all of it.
 */
export function bubblewrapArguments(limits: Limits, view: HostView): string[] {
  const system = view.systemDirectories.flatMap(({ path, link }) =>
    link === undefined ? ['--ro-bind', path, path] : ['--symlink', link, path],
  );
  return [
    ...['--unshare-ipc', '--unshare-pid', '--unshare-net', '--unshare-uts', '--hostname', 'sandbox'],
    ...['--die-with-parent', '--new-session', '--info-fd', '3'],
    ...(view.isRoot
      ? ['--cap-add', 'CAP_KILL', '--cap-add', 'CAP_CHOWN']
      : ['--unshare-user', '--uid', '0', '--gid', '0']),
    ...['--perms', '0755', '--size', String(limits.diskMiB * MIB), '--tmpfs', '/'],
    ...['--ro-bind', '/usr', '/usr', ...system],
    ...['/etc', '/etc/ssl', '/opt', '/opt/clade', NODE_DIRECTORY].flatMap((path) => ['--perms', '0755', '--dir', path]),
    ...CONFIGURATION.flatMap((name) => ['--ro-bind-try', `/etc/${name}`, `/etc/${name}`]),
    ...MADE_FILES.flatMap(({ path }, at) => ['--perms', '0644', '--file', String(at + 4), path]),
    ...['--ro-bind', view.node, `${NODE_DIRECTORY}/node`],
    ...['--proc', '/proc', '--dev', '/dev'],
    ...['--perms', '1777', '--size', String(16 * MIB), '--tmpfs', '/dev/shm', '--remount-ro', '/dev'],
    ...WRITABLE.flatMap((path) => ['--perms', '1777', '--dir', path]),
    ...['--chdir', '/', '--', '/bin/sh', '-c', keeper(view)],
  ];
}

const keeper = ({ isRoot }: HostView): string =>
  `${isRoot ? `chown ${USER_ID}:${USER_ID} ${WRITABLE.join(' ')}; ` : ''}echo ready; ${KEEPER_SCRIPT}`;

/**
 * The arguments that make a program run in a sandbox: it enters the namespaces, leaves them to nobody else (`files` of
 * them are open), limits itself, gives up all rights, and has the environment that it is given and nothing else.
 */
export function enterArguments(
  program: { argv: readonly string[]; cwd: string; env: Readonly<Record<string, string>> },
  sandbox: { flags: readonly string[]; limits: Limits; isRoot: boolean },
): string[] {
  const close = sandbox.flags.map((_, at) => `exec ${at + 3}<&-`).join('; ');
  const fileBlocks = sandbox.limits.diskMiB * 2048;
  const limit = `${close}; ulimit -c 0; ulimit -n 4096; ulimit -f ${fileBlocks}; exec "$@"`;
  const user = sandbox.isRoot ? [`--reuid=${USER_ID}`, `--regid=${USER_ID}`, '--clear-groups'] : [];
  const rights = ['--bounding-set=-all', '--inh-caps=-all', '--ambient-caps=-all', '--no-new-privs'];
  return [
    ...['/usr/bin/nsenter', ...sandbox.flags, ...(sandbox.isRoot ? [] : ['--preserve-credentials']), '--'],
    ...['/bin/sh', '-c', limit, 'sh'],
    ...['/usr/bin/setpriv', ...user, ...rights, '--'],
    ...['/usr/bin/env', '-i', '-C', program.cwd],
    ...Object.entries(program.env).map(([name, value]) => `${name}=${value}`),
    ...program.argv,
  ];
}
