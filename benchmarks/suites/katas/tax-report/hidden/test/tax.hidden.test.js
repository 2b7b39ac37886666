import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import test from 'node:test';
import { NET_CENTS } from '../src/book.js';
import { countries } from '../src/countries.js';

const PERCENT = { at: 20, be: 21, bg: 20, cy: 19, cz: 21, de: 19, dk: 25, ee: 22, es: 21, fi: 25.5, fr: 20, gr: 24, hr: 25, hu: 27, ie: 23, it: 22, lt: 21, lu: 17, lv: 21, mt: 18, nl: 21, pl: 23, pt: 23, ro: 19, se: 25, si: 22, sk: 20 };

test('the report finds no difference', () => {
  assert.equal(spawnSync(process.execPath, ['report.js']).status, 0);
});

test('half a cent is rounded up in every country', () => {
  for (const [code, { tax }] of Object.entries(countries)) {
    for (const net of NET_CENTS) assert.equal(tax(net), Math.round((net * PERCENT[code]) / 100), `${code} ${net}`);
  }
});

test('the rates are as before', () => {
  for (const [code, { tax }] of Object.entries(countries)) assert.equal(tax(100_000), PERCENT[code] * 1000);
});
