import { createItem } from '../model/item.js';

export function add(items, words) {
  return [...items, createItem(items, words.join(' '))];
}
