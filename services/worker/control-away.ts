/** Control did not answer, or said that it is ending. Whether it did what it was asked is open. */
export class ControlAway extends Error {
  override name = 'ControlAway';
}
