/** The net amounts of last month's invoices, in cents. */
export const NET_CENTS = [199, 1_250, 2_099, 3_333, 4_990, 5_055, 7_777, 9_999, 12_345, 14_950, 20_001, 31_415];
