import { NET_CENTS } from './src/book.js';
import { countries } from './src/countries.js';

// What the tax office has for the same invoices, in percent of the net amount.
const OFFICE = { at: 20, be: 21, bg: 20, cy: 19, cz: 21, de: 19, dk: 25, ee: 22, es: 21, fi: 25.5, fr: 20, gr: 24, hr: 25, hu: 27, ie: 23, it: 22, lt: 21, lu: 17, lv: 21, mt: 18, nl: 21, pl: 23, pt: 23, ro: 19, se: 25, si: 22, sk: 20 };

const wrong = [];
for (const [code, module] of Object.entries(countries)) {
  console.log(`\n${module.country} (${code})\n${'-'.repeat(60)}`);
  let ours = 0;
  let theirs = 0;
  for (const [index, net] of NET_CENTS.entries()) {
    const tax = module.tax(net);
    ours += tax;
    theirs += Math.round((net * OFFICE[code]) / 100);
    console.log(`invoice ${code.toUpperCase()}-${String(index + 1).padStart(4, '0')}   net ${euros(net)}   tax ${euros(tax)}   gross ${euros(net + tax)}`);
  }
  console.log(`${'-'.repeat(60)}\nsum of tax ${euros(ours)}`);
  if (ours !== theirs) wrong.push(`src/countries/${code}.js: our sum ${euros(ours).trim()}, the tax office has ${euros(theirs).trim()}`);
}

console.log(`\n${'='.repeat(60)}\n${wrong.length} of ${Object.keys(countries).length} countries differ from the tax office`);
for (const line of wrong) console.log(line);
process.exitCode = wrong.length > 0 ? 1 : 0;

function euros(cents) {
  return (cents / 100).toFixed(2).padStart(9);
}
