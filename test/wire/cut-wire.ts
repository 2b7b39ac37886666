import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/**
 * What happens to a request: it is cut off after so many bytes of it, or after so many of its answer (0: none gets through); or the body of
 * its answer is changed on the way.
 */
export type Cut = { afterSent: number } | { afterAnswered: number } | { garbled: true };

/** A way to a service that breaks when told to. */
export interface CutWire extends AsyncDisposable {
  url: string;
  /** First lines of the requests that came, such as `POST /v1/jobs/x/claim`. */
  requests: string[];
  /** Cuts the next requests whose first line matches, one after the other. */
  cut(which: RegExp, ...cuts: Cut[]): void;
  /** Says of every further request what happens to it; null: nothing. */
  disturb(by: (line: string) => Cut | null): void;
  /** Nobody answers at the address any more, until it is joined again. */
  part(): Promise<void>;
  join(): Promise<void>;
  /** New connections lead to another service. */
  lead(toUrl: string): void;
}

const END_OF_HEAD = Buffer.from('\r\n\r\n');

export async function openCutWire(targetUrl: string): Promise<CutWire> {
  let target = new URL(targetUrl);
  const requests: string[] = [];
  const open = new Set<Socket>();
  let disturbance: (line: string) => Cut | null = () => null;
  let pending: { which: RegExp; cut: Cut }[] = [];
  const server = createServer((near) => {
    const far = connect(Number(target.port), target.hostname);
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        open.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    let cut: Cut | null = null;
    let [sent, answered] = [0, 0];
    const breakOff = () => [near, far].forEach((socket) => void socket.resetAndDestroy());
    near.on('data', (bytes: Buffer) => {
      const line = /^(?:GET|HEAD|POST|PATCH|DELETE) \S+/.exec(bytes.toString('latin1'))?.[0];
      if (line !== undefined) {
        requests.push(line);
        cut = taken(line);
        [sent, answered] = [0, 0];
      }
      sent += bytes.length;
      if (cut === null || !('afterSent' in cut) || sent < cut.afterSent) return void far.write(bytes);
      // What came before the break arrives.
      far.write(bytes.subarray(0, bytes.length - (sent - cut.afterSent)), breakOff);
    });
    far.on('data', (bytes: Buffer) => {
      answered += bytes.length;
      if (cut !== null && 'garbled' in cut && !bytes.subarray(-4).equals(END_OF_HEAD)) bytes[bytes.length - 1]! ^= 1;
      if (cut === null || !('afterAnswered' in cut) || answered < cut.afterAnswered) return void near.write(bytes);
      near.write(bytes.subarray(0, bytes.length - (answered - cut.afterAnswered)), breakOff);
    });
  });
  function taken(line: string): Cut | null {
    const found = pending.find(({ which }) => which.test(line));
    pending = pending.filter((one) => one !== found);
    return found?.cut ?? disturbance(line);
  }
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const part = async () => {
    for (const socket of open) socket.resetAndDestroy();
    if (!server.listening) return;
    server.close();
    await once(server, 'close');
  };
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    cut: (which, ...cuts) => void pending.push(...cuts.map((cut) => ({ which, cut }))),
    disturb(by) {
      disturbance = by;
    },
    part,
    async join() {
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
    },
    lead(toUrl) {
      target = new URL(toUrl);
    },
    [Symbol.asyncDispose]: part,
  };
}
