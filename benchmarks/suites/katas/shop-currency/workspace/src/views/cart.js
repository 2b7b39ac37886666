/** The small cart in the corner of the page. */
export function cart({ items }) {
  const total = items.reduce((sum, item) => sum + item.price * item.count, 0);
  const count = items.reduce((sum, item) => sum + item.count, 0);
  return count === 0 ? 'Your cart is empty' : `${count} in cart, $${total.toFixed(2)}`;
}
