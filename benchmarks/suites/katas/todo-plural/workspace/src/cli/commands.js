import { add } from '../commands/add.js';
import { clear } from '../commands/clear.js';
import { done } from '../commands/done.js';
import { list } from '../commands/list.js';
import { move } from '../commands/move.js';
import { rename } from '../commands/rename.js';

export const commands = { add, clear, done, list, move, rename };
