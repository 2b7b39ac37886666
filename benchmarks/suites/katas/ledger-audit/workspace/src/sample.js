/** A long made-up history, always the same. Its amounts are cents. */
export function sample(count = 600) {
  const events = [];
  let state = 7;
  const draw = (limit) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % limit;
  };
  const held = [];
  for (let index = 0; index < count; index += 1) {
    const amount = 100 + draw(9_900);
    const choice = draw(9);
    if (choice < 3) events.push({ kind: 'deposit', amount: amount * 3 });
    else if (choice === 3) events.push({ kind: 'withdrawal', amount });
    else if (choice === 4) events.push({ kind: 'fee', amount: 1 + draw(99) });
    else if (choice === 5) events.push({ kind: 'refund', amount });
    else if (choice === 6 || held.length === 0) {
      held.push(amount);
      events.push({ kind: 'hold', amount });
    } else events.push({ kind: choice === 7 ? 'release' : 'capture', amount: held.shift() });
  }
  return events;
}
