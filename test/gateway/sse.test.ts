import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatSse, type SseEvent, SseReader } from '#services/gateway/sse.ts';

describe('an event stream', () => {
  it('gives the same events however it is cut into pieces', () => {
    const line = fc.string({ unit: fc.constantFrom('a', ' ', ':', 'é', '{', '"') });
    const event = fc.record({
      event: fc.option(fc.constantFrom('x', 'response.completed')),
      data: fc.array(line, { minLength: 1, maxLength: 3 }).map((lines) => lines.join('\n')),
    });
    fc.assert(
      fc.property(fc.array(event), fc.array(fc.nat(7), { minLength: 1 }), (sent: SseEvent[], sizes) => {
        const text = sent.map(formatSse).join('');
        const reader = new SseReader();
        const got: SseEvent[] = [];
        for (let at = 0, turn = 0; at < text.length; turn++) {
          const size = 1 + sizes[turn % sizes.length]!;
          got.push(...reader.push(text.slice(at, at + size)));
          at += size;
        }
        expect(got).toEqual(sent);
      }),
      { seed: 1 },
    );
  });

  it('may end its lines as Windows does, hold comments, and leave out the space after the colon', () => {
    const reader = new SseReader();
    expect(reader.push(': keep-alive\r\n\r\nevent:a\r\ndata:1\r\ndata: 2\r\n\r\n')).toEqual([
      { event: 'a', data: '1\n2' },
    ]);
  });

  it('may not hold an event without end', () => {
    const reader = new SseReader();
    expect(() => reader.push('data: '.padEnd(2000, 'x'), 1000)).toThrow(/longer than 1000 characters/);
  });
});
