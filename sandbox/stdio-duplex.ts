import { Duplex, type Readable, type Writable } from 'node:stream';

/**
 * One stream of two: what is written goes to `stdin`, what is read comes from `stdout`. It ends when `stdout` ends and is
 * never in error: a program that stops reading looks like one that ended.
 */
export function stdioDuplex(stdin: Writable, stdout: Readable): Duplex {
  const duplex = new Duplex({
    allowHalfOpen: true,
    read: () => void stdout.resume(),
    write: (chunk, encoding, done) => void stdin.write(chunk, encoding, () => done()),
    final: (done) => void stdin.end(() => done()),
    destroy(_error, done) {
      stdin.destroy();
      stdout.destroy();
      done(null);
    },
  });
  stdin.on('error', () => duplex.destroy());
  stdout.on('data', (chunk) => {
    if (!duplex.push(chunk)) stdout.pause();
  });
  stdout.once('close', () => duplex.push(null));
  stdout.once('end', () => duplex.push(null));
  stdout.on('error', () => duplex.destroy());
  return duplex;
}
