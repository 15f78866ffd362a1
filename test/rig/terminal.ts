/** A terminal comes from python3's `pty`, so that nothing has to be compiled. */
const PTY = `
import fcntl, os, pty, struct, sys, termios
columns, rows = int(sys.argv[1]), int(sys.argv[2])
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
    os.execvp(sys.argv[3], sys.argv[3:])
while True:
    try:
        data = os.read(fd, 65536)
    except OSError:
        break
    if not data:
        break
    os.write(1, data)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 255)
`;

/** What to start so that a command runs in a terminal of its own; what it shows comes out of the standard output, and its exit code is this one's. */
export function inTerminal(
  [file, ...args]: readonly [file: string, ...args: string[]],
  { columns, rows }: { readonly columns: number; readonly rows: number },
): readonly [file: string, args: readonly string[], env: Readonly<Record<string, string>>] {
  const size = [String(columns), String(rows)] as const;
  return ['python3', ['-c', PTY, ...size, file, ...args], { TERM: 'xterm-256color', NO_COLOR: '', COLUMNS: size[0], LINES: size[1] }];
}
