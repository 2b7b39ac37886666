import { indexOf } from '../model/change.js';

/** Moves an item to a place, counted from 1. */
export function move(items, [id, place]) {
  const rest = [...items];
  const [item] = rest.splice(indexOf(items, id), 1);
  rest.splice(Number(place) - 1, 0, item);
  return rest;
}
