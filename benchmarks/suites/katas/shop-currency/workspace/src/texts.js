export { cart } from './views/cart.js';
export { discount } from './views/discount.js';
export { invoice } from './views/invoice.js';
export { payout } from './views/payout.js';
export { receipt } from './views/receipt.js';
export { refund } from './views/refund.js';
export { shipping } from './views/shipping.js';
export { statement } from './views/statement.js';
