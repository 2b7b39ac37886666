import { readBoolean } from './boolean.js';
import { readDuration } from './duration.js';
import { readList } from './list.js';
import { readNumber } from './number.js';
import { readText } from './text.js';

export const readers = { boolean: readBoolean, duration: readDuration, list: readList, number: readNumber, text: readText };
