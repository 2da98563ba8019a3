"""Schedules: jobs that the clock starts.

`times` knows when, `definitions` what a schedule says and `checking` what is wrong with it;
`schedules` is what people hold in their hands. `claims` decides which due time is whose, `worker`
waits for due times, and `starting` is the process of one job. (The order of the steps within a job
is another matter: `findspot.engine.step_order`.)
"""
